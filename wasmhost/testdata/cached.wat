;; Denies, and allows the answer to be used again for an hour.
(module
  (memory (export "memory") 1)
  (data (i32.const 64) "\0f\00\04\00\80\ee\36\00") ;; TTL_MS 3,600,000
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000))
  (func (export "edgeftp_fs") (param i32) (result i64)
    (i64.store (i32.const 4096) (i64.load (i32.const 64)))
    (i64.const 0x0000000802020000)))
