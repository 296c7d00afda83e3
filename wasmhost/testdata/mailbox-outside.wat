;; Has a mailbox that ends outside its memory.
(module
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x000040000000fff0))
  (func (export "edgeftp_fs") (param i32) (result i64) (i64.const 0))
)
