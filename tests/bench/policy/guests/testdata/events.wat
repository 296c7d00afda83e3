;; Takes note of events: counts them. Build it with: wat2wasm events.wat
(module
  (memory (export "memory") 1)
  (global $seen (mut i64) (i64.const 0))
  ;; The mailbox: 32,768 bytes at 4,096.
  (func (export "edgeftp_abi_v1") (param $host_minor i32) (param $features i64) (result i64)
    (i64.const 0x00008000_00001000))
  (func (export "edgeftp_event") (param $len i32) (result i64)
    (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
    (i64.const 0)))
