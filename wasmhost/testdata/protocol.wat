;; Lets in who logs in on one connection, refuses others of which there is a binding, and has
;; no opinion of the rest. Refuses all files to sessions that something else than TCP
;; carries, with the name of what carries them as TEXT.
(module
  (memory (export "memory") 1 8)
  (data (i32.const 256) "\00of a connection, and no other\01\00")
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (if (i32.lt_u (local.get 0) (i32.const 4)) (then (return (i64.const 0)))) ;; PROTOCOL and BINDING came with minor 4
    (i64.const 0x0000800000001000)) ;; 32 KiB at 4096

  ;; Where the entry of ATTR with a key is, 0 if it is not there.
  (func $entry (param $key i32) (result i32)
    (local $p i32) (local $end i32)
    (local.set $p (i32.add (i32.const 4096) (i32.load (i32.const 4200)))) ;; ATTR
    (local.set $end (i32.add (local.get $p) (i32.load (i32.const 4204))))
    (loop $next
      (if (i32.ge_u (local.get $p) (local.get $end)) (then (return (i32.const 0))))
      (if (i32.eq (i32.load16_u (local.get $p)) (local.get $key)) (then (return (local.get $p))))
      (local.set $p (i32.add (i32.add (local.get $p) (i32.const 4)) (i32.load16_u offset=2 (local.get $p))))
      (br $next))
    (unreachable))

  (func (export "edgeftp_auth") (param i32) (result i64)
    (local $p i32) (local $i i32)
    (local.set $p (call $entry (i32.const 23)))
    (if (i32.eqz (local.get $p)) (then (return (i64.const 0)))) ;; pass
    (if (i32.ne (i32.load16_u offset=2 (local.get $p)) (i32.const 32)) (then (unreachable)))
    (loop $next
      (if (i64.ne (i64.load offset=4 (i32.add (local.get $p) (local.get $i))) (i64.load offset=256 (local.get $i)))
        (then (return (i64.const 0x20212)))) ;; deny, 530
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 32))))
    (i64.const 0x10000)) ;; allow

  (func (export "edgeftp_fs") (param i32) (result i64)
    (local $p i32) (local $n i32)
    (local.set $p (call $entry (i32.const 22)))
    (if (i32.eqz (local.get $p)) (then (return (i64.const 0))))
    (local.set $n (i32.load16_u offset=2 (local.get $p)))
    (memory.copy (i32.const 4100) (i32.add (local.get $p) (i32.const 4)) (local.get $n))
    (i32.store16 (i32.const 4096) (i32.const 1)) ;; TEXT
    (i32.store16 (i32.const 4098) (local.get $n))
    (i64.or (i64.const 0x20229) (i64.shl (i64.extend_i32_u (i32.add (local.get $n) (i32.const 4))) (i64.const 32)))) ;; deny, 553
)
