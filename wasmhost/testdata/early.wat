;; Allows an early question; denies one with a password; passes on one without.
(module
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (if (i32.lt_u (local.get 0) (i32.const 1)) (then (return (i64.const 0)))) ;; EARLY came with minor 1
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (func (export "edgeftp_auth") (param i32) (result i64)
    (if (i32.and (i32.load (i32.const 4144)) (i32.const 0x800))
      (then (return (i64.const 0x10000))))
    (if (i32.load (i32.const 4172)) ;; the length of ARG
      (then (return (i64.const 0x20000))))
    (i64.const 0))
)
