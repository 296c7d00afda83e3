;; Logs the text of an event; fails if there is none.
(module
  (import "edgeftp" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (func (export "edgeftp_event") (param i32) (result i64)
    (if (i32.eqz (i32.load (i32.const 4172))) (then (return (i64.const 0x50000))))
    (call $log (i32.const 2) (i32.add (i32.const 4096) (i32.load (i32.const 4168))) (i32.load (i32.const 4172)))
    (i64.const 0))
)
