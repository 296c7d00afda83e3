;; Copies half its memory to the other half again and again.
(module
  (memory (export "memory") 256)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000100000000400))
  (func (export "edgeftp_fs") (param i32) (result i64)
    (loop (memory.copy (i32.const 0) (i32.const 8388608) (i32.const 8388608)) (br 0))
    (i64.const 0)))
