;; Calls itself without end.
(module
  (memory (export "memory") 1)
  (func $down (param i64) (result i64)
    (i64.add (call $down (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000100000000400))
  (func (export "edgeftp_fs") (param i32) (result i64)
    (drop (call $down (i64.const 0)))
    (i64.const 0)))
