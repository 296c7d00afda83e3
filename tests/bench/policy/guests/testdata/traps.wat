;; Traps when a directory is to be made. Build it with: wat2wasm traps.wat
(module
  (memory (export "memory") 1)
  ;; The mailbox: 32,768 bytes at 4,096.
  (func (export "edgeftp_abi_v1") (param $host_minor i32) (param $features i64) (result i64)
    (i64.const 0x00008000_00001000))
  (func (export "edgeftp_fs") (param $len i32) (result i64)
    (if (i32.eq (i32.load16_u (i32.const 4102)) (i32.const 6)) (then unreachable))
    (i64.const 0)))
