;; Readonly refuses every operation that would change something, whatever the
;; users' permissions say.
(module
  (memory (export "memory") 1)
  ;; A reply: key 1 (TEXT), 24 bytes.
  (data (i32.const 64) "\01\00\18\00this server is read-only")

  ;; The mailbox: 32,768 bytes at 4,096.
  (func (export "edgeftp_abi_v1") (param $host_minor i32) (param $features i64) (result i64)
    (i64.const 0x00008000_00001000))

  (func (export "edgeftp_fs") (param $len i32) (result i64)
    (local $op i32)
    (local.set $op (i32.load16_u (i32.const 4102))) ;; offset 6 of the record
    ;; Pass for stat 1, list 2, read 3, cwd 12, readlink 13 and hash 14. What a
    ;; later server may ask about is refused.
    (if (i32.lt_u (local.get $op) (i32.const 32))
      (then (if (i32.and (i32.shl (i32.const 1) (local.get $op)) (i32.const 0x700e))
        (then (return (i64.const 0))))))
    (memory.copy (i32.const 4096) (i32.const 64) (i32.const 28))
    (i64.const 0x0000001c_00020000))) ;; 28 bytes of reply, deny, the server's own code
