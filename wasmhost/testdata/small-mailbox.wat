;; Has a mailbox of 1 KiB.
(module
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000040000001000))
  (func (export "edgeftp_fs") (param i32) (result i64) (i64.const 0))
)
