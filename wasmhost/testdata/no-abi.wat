;; Has hooks but no version.
(module
  (memory (export "memory") 1)
  (func (export "edgeftp_fs") (param i32) (result i64) (i64.const 0))
)
