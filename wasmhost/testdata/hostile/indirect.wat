;; Calls itself through a table without end.
(module
  (memory (export "memory") 1)
  (type $t (func (param i64) (result i64)))
  (table 1 funcref)
  (elem (i32.const 0) $down)
  (func $down (param i64) (result i64)
    (i64.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i64.const 1)))
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000100000000400))
  (func (export "edgeftp_fs") (param i32) (result i64)
    (drop (call_indirect (type $t) (i64.const 0) (i32.const 0)))
    (i64.const 0)))
