;; Grants certificates to nobody.
(module
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (data (i32.const 64) "\01\00\0d\00we are closed")
  (func (export "edgeftp_cert") (param i32) (result i64)
    (memory.copy (i32.const 4096) (i32.const 64) (i32.const 17))
    (i64.const 0x0000001100020000)) ;; deny
)
