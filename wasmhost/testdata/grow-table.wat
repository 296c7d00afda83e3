;; Has a table without a maximum, and denies if it may grow above 2 MiB.
(module
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (table $t 1 funcref)
  (func (export "edgeftp_fs") (param i32) (result i64)
    (if (i32.ne (table.grow $t (ref.null func) (i32.const 262144)) (i32.const -1)) (then (return (i64.const 0x20000))))
    (i64.const 0))
)
