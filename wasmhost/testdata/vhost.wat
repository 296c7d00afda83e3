;; Lets sessions of no virtual host write; refuses others with the name of theirs as TEXT.
(module
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (if (i32.lt_u (local.get 0) (i32.const 3)) (then (return (i64.const 0)))) ;; VHOST came with minor 3
    (i64.const 0x0000800000001000)) ;; 32 KiB at 4096
  (func (export "edgeftp_fs") (param i32) (result i64)
    (local $p i32) (local $end i32) (local $n i32)
    (if (i32.ne (i32.load16_u (i32.const 4102)) (i32.const 4)) (then (return (i64.const 0)))) ;; another operation than write
    (local.set $p (i32.add (i32.const 4096) (i32.load (i32.const 4200)))) ;; ATTR
    (local.set $end (i32.add (local.get $p) (i32.load (i32.const 4204))))
    (loop $next
      (if (i32.ge_u (local.get $p) (local.get $end)) (then (return (i64.const 0))))
      (local.set $n (i32.load16_u offset=2 (local.get $p)))
      (if (i32.eq (i32.load16_u (local.get $p)) (i32.const 21)) (then
        (memory.copy (i32.const 4100) (i32.add (local.get $p) (i32.const 4)) (local.get $n))
        (i32.store16 (i32.const 4096) (i32.const 1)) ;; TEXT
        (i32.store16 (i32.const 4098) (local.get $n))
        (return (i64.or (i64.const 0x20229) (i64.shl (i64.extend_i32_u (i32.add (local.get $n) (i32.const 4))) (i64.const 32)))))) ;; deny, 553
      (local.set $p (i32.add (i32.add (local.get $p) (i32.const 4)) (local.get $n)))
      (br $next))
    (unreachable))
)
