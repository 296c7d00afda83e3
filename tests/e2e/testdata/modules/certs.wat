;; Grants certificates for names, but for those that begin with "deny".
(module
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (data (i32.const 64) "\01\00\18\00that is no customer name")
  (func (export "edgeftp_cert") (param i32) (result i64)
    ;; the first four bytes of ARG (span 2)
    (if (i32.ne (i32.load offset=4096 (i32.load (i32.const 4168))) (i32.const 0x796e6564))
      (then (return (i64.const 0x00010000)))) ;; allow
    (memory.copy (i32.const 4096) (i32.const 64) (i32.const 28))
    (i64.const 0x0000001c00020000)) ;; deny
)
