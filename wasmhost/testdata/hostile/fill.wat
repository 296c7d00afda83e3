;; Fills its whole memory again and again.
(module
  (memory (export "memory") 256)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000100000000400))
  (func (export "edgeftp_fs") (param i32) (result i64)
    (loop (memory.fill (i32.const 0) (i32.const 7) (i32.const 16777216)) (br 0))
    (i64.const 0)))
