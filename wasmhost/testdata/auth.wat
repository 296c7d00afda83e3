;; Lets in whom USER begins with "a", with STATE "s1" and the permissions "elr";
;; denies the others with 530 and no text.
(module
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (data (i32.const 64) "\0b\00\02\00s1\04\00\03\00elr")
  (func (export "edgeftp_auth") (param i32) (result i64)
    (if (i32.eq (i32.load8_u offset=4096 (i32.load (i32.const 4152))) (i32.const 97))
      (then
        (memory.copy (i32.const 4096) (i32.const 64) (i32.const 13))
        (return (i64.const 0x0000000d00010000))))
    (i64.const 0x20212))
)
