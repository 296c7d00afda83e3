;; Changes a table, which cannot be put back.
(module
  (memory (export "memory") 1)
  (table 2 funcref)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000100000001000))
  (func (export "edgeftp_fs") (param i32) (result i64)
    (table.set 0 (i32.const 0) (ref.null func))
    (i64.const 0)))
