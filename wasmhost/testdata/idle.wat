;; Denies until edgeftp_idle was called; traps in it when it was called a second time.
(module
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (global $n (mut i32) (i32.const 0))
  (func (export "edgeftp_fs") (param i32) (result i64)
    (if (i32.eqz (global.get $n)) (then (return (i64.const 0x20000))))
    (i64.const 0))
  (func (export "edgeftp_idle")
    (if (i32.ge_u (global.get $n) (i32.const 1)) (then (unreachable)))
    (global.set $n (i32.add (global.get $n) (i32.const 1))))
)
