;; What exists below /archive stays as it is. Build it with: wat2wasm write-once.wat
(module
  (memory (export "memory") 1)
  ;; A reply: key 1 (TEXT), 21 bytes.
  (data (i32.const 64) "\01\00\15\00archive is write-once")

  ;; The mailbox: 32,768 bytes at 4,096.
  (func (export "edgeftp_abi_v1") (param $host_minor i32) (param $features i64) (result i64)
    (i64.const 0x00008000_00001000))

  (func (export "edgeftp_fs") (param $len i32) (result i64)
    (local $op i32) (local $path i32)
    (local.set $op (i32.load16_u (i32.const 4102)))
    ;; write 4, append 5, rmdir 7, delete 8, rename 9, chmod 10, mfmt 11
    (if (i32.gt_u (local.get $op) (i32.const 31)) (then (return (i64.const 0))))
    (if (i32.eqz (i32.and (i32.shl (i32.const 1) (local.get $op)) (i32.const 0xfb0)))
      (then (return (i64.const 0))))
    ;; flag EXISTS, bit 4
    (if (i32.eqz (i32.and (i32.load (i32.const 4144)) (i32.const 16))) (then (return (i64.const 0))))
    ;; span 1, PATH
    (if (i32.lt_u (i32.load (i32.const 4164)) (i32.const 9)) (then (return (i64.const 0))))
    (local.set $path (i32.add (i32.const 4096) (i32.load (i32.const 4160))))
    (if (i64.ne (i64.load (local.get $path)) (i64.const 0x657669686372612f)) ;; "/archive"
      (then (return (i64.const 0))))
    (if (i32.ne (i32.load8_u offset=8 (local.get $path)) (i32.const 47)) (then (return (i64.const 0))))
    (memory.copy (i32.const 4096) (i32.const 64) (i32.const 25))
    (i64.const 0x00000019_00020000))) ;; 25 bytes of reply, deny, the server's own code
