;; Lets everybody in from 192.0.2.0/24, but who is called b... from no network at all: what
;; it answers then is none. Refuses all files with the data connection's other end as TEXT,
;; and fails at a client that has moved with the address before.
(module
  (memory (export "memory") 1 8)
  (data (i32.const 256) "\1d\00\0c\00192.0.2.0/24")
  (data (i32.const 288) "\1d\00\0c\00192.0.2.1/24")
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (if (i32.lt_u (local.get 0) (i32.const 5)) (then (return (i64.const 0)))) ;; NETWORK and DATA_PEER came with minor 5
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

  ;; Makes $n bytes at $from the TEXT of the reply, whose length is returned in its place.
  (func $text (param $from i32) (param $n i32) (result i64)
    (memory.copy (i32.const 4100) (local.get $from) (local.get $n))
    (i32.store16 (i32.const 4096) (i32.const 1)) ;; TEXT
    (i32.store16 (i32.const 4098) (local.get $n))
    (i64.shl (i64.extend_i32_u (i32.add (local.get $n) (i32.const 4))) (i64.const 32)))

  (func (export "edgeftp_auth") (param i32) (result i64)
    (local $from i32)
    (local.set $from (i32.const 256))
    (if (i32.eq (i32.load8_u (i32.add (i32.const 4096) (i32.load (i32.const 4152)))) (i32.const 98)) ;; USER begins with b
      (then (local.set $from (i32.const 288))))
    (memory.copy (i32.const 4096) (local.get $from) (i32.const 16))
    (i64.const 0x1000010000)) ;; allow, 16 bytes

  (func (export "edgeftp_fs") (param i32) (result i64)
    (local $p i32)
    (local.set $p (call $entry (i32.const 24)))
    (if (i32.eqz (local.get $p)) (then (return (i64.const 0))))
    (i64.or (i64.const 0x20229) (call $text (i32.add (local.get $p) (i32.const 4)) (i32.load16_u offset=2 (local.get $p))))) ;; deny, 553

  (func (export "edgeftp_event") (param i32) (result i64)
    (if (i32.ne (i32.load16_u (i32.const 4102)) (i32.const 40)) (then (return (i64.const 0)))) ;; client_moved
    (i64.or (i64.const 0x50000) (call $text (i32.add (i32.const 4096) (i32.load (i32.const 4168))) (i32.load (i32.const 4172))))) ;; fail, with ARG
)
