;; Logs who asks (USER), for what (PATH, ARG) and from where (PEER), a line each.
(module
  (import "edgeftp" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (func $say (param $span i32)
    (call $log (i32.const 1) (i32.add (i32.const 4096) (i32.load (i32.add (i32.const 4152) (local.get $span))))
      (i32.load (i32.add (i32.const 4156) (local.get $span)))))
  (func (export "edgeftp_fs") (param i32) (result i64)
    (call $say (i32.const 0))
    (call $say (i32.const 8))
    (call $say (i32.const 16))
    (call $say (i32.const 24))
    (i64.const 0))
)
