;; Floods the log.
(module
  (import "edgeftp" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000100000000400))
  (func (export "edgeftp_fs") (param i32) (result i64)
    (loop (call $log (i32.const 1) (i32.const 0) (i32.const 60000)) (br 0))
    (i64.const 0)))
