;; Declares a maximum of 4 GiB, which the host clamps, and passes if it got less.
(module
  (memory (export "memory") 1 65536)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (func (export "edgeftp_fs") (param i32) (result i64)
    (if (i32.ne (memory.grow (i32.const 256)) (i32.const -1)) (then (return (i64.const 0x20000))))
    (i64.const 0))
)
