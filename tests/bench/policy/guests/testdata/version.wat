;; Refuses to make a directory, in words that say which version it is; the letter is
;; replaced for another one. Build it with: wat2wasm version.wat
(module
  (memory (export "memory") 1)
  ;; A reply: key 1 (TEXT), 21 bytes.
  (data (i32.const 64) "\01\00\15\00refused by version A.")

  (func (export "edgeftp_abi_v1") (param $host_minor i32) (param $features i64) (result i64)
    (i64.const 0x00008000_00001000))

  (func (export "edgeftp_fs") (param $len i32) (result i64)
    (if (i32.ne (i32.load16_u (i32.const 4102)) (i32.const 6)) (then (return (i64.const 0))))
    (memory.copy (i32.const 4096) (i32.const 64) (i32.const 25))
    (i64.const 0x00000019_00020000)))
