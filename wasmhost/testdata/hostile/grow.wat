;; Takes all memory that it can get, again and again.
(module
  (memory (export "memory") 1)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000100000000400))
  (func (export "edgeftp_fs") (param i32) (result i64)
    (loop (drop (memory.grow (i32.const 1))) (br 0))
    (i64.const 0)))
