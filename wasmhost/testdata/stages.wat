;; Takes part in list, cmd, site, throttle, data and cert.
(module
  (memory (export "memory") 4)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0002000000001000)) ;; 128 KiB at 4096
  ;; where span n begins, and how long it is
  (func $at (param $n i32) (result i32)
    (i32.add (i32.const 4096)
      (i32.load (i32.add (i32.const 4152) (i32.mul (local.get $n) (i32.const 8))))))
  (func $len (param $n i32) (result i32)
    (i32.load (i32.add (i32.const 4156) (i32.mul (local.get $n) (i32.const 8)))))
  ;; list: hides names that begin with a dot
  (func (export "edgeftp_list") (param i32) (result i64)
    (local $entry i32) (local $i i32) (local $n i32)
    (memory.fill (i32.const 512) (i32.const 0) (i32.const 32))
    (local.set $entry (call $at (i32.const 2)))
    (local.set $n (i32.load (i32.const 4128)))
    (loop $next
      (if (i32.eq (i32.load8_u (i32.add (i32.const 4096) (i32.load (local.get $entry)))) (i32.const 46))
        (then (i32.store8 (i32.add (i32.const 512) (i32.shr_u (local.get $i) (i32.const 3)))
          (i32.or (i32.load8_u (i32.add (i32.const 512) (i32.shr_u (local.get $i) (i32.const 3))))
            (i32.shl (i32.const 1) (i32.and (local.get $i) (i32.const 7)))))))
      (local.set $entry (i32.add (local.get $entry) (i32.const 32)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
    ;; HIDE_BITS (18), as many bytes as there are entries for
    (local.set $n (i32.shr_u (i32.add (local.get $n) (i32.const 7)) (i32.const 3)))
    (i32.store (i32.const 4096) (i32.or (i32.const 18) (i32.shl (local.get $n) (i32.const 16))))
    (memory.copy (i32.const 4100) (i32.const 512) (local.get $n))
    (i64.shl (i64.extend_i32_u (i32.add (local.get $n) (i32.const 4))) (i64.const 32)))
  ;; cmd: NOOP is 450
  (func (export "edgeftp_cmd") (param i32) (result i64)
    (if (result i64) (i32.eq (i32.load (call $at (i32.const 8))) (i32.const 0x504f4f4e))
      (then (i64.const 0x201c2)) (else (i64.const 0))))
  ;; site: says the argument back with 211
  (func (export "edgeftp_site") (param i32) (result i64)
    (local $n i32)
    (local.set $n (call $len (i32.const 2)))
    (memory.copy (i32.const 512) (call $at (i32.const 2)) (local.get $n))
    (i32.store (i32.const 4096) (i32.or (i32.const 22) (i32.shl (local.get $n) (i32.const 16))))
    (memory.copy (i32.const 4100) (i32.const 512) (local.get $n))
    (i64.or (i64.const 0x100d3)
      (i64.shl (i64.extend_i32_u (i32.add (local.get $n) (i32.const 4))) (i64.const 32))))
  ;; throttle: as many bytes a second as were moved, for half a second
  (func (export "edgeftp_throttle") (param i32) (result i64)
    (local $moved i64)
    (local.set $moved (i64.load (i32.const 4136)))
    (i32.store (i32.const 4096) (i32.const 0x8001c)) ;; RATE (28)
    (i64.store (i32.const 4100) (local.get $moved))
    (i32.store (i32.const 4108) (i32.const 0x4000f)) ;; TTL_MS (15)
    (i32.store (i32.const 4112) (i32.const 500))
    (i64.const 0x0000001400000000)) ;; 20 bytes
  ;; data: adds one to each byte; carries the length of the last chunk; "!" is refused
  (func (export "edgeftp_data") (param i32) (result i64)
    (local $from i32) (local $n i32) (local $i i32)
    (local.set $from (call $at (i32.const 2)))
    (local.set $n (call $len (i32.const 2)))
    (if (i32.and (i32.eq (local.get $n) (i32.const 1)) (i32.eq (i32.load8_u (local.get $from)) (i32.const 33)))
      (then (return (i64.const 0x20229))))
    (i32.store (i32.const 4096) (local.get $n))
    (memory.copy (i32.const 4100) (local.get $from) (local.get $n))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (i32.store8 offset=4100 (local.get $i)
          (i32.add (i32.load8_u offset=4100 (local.get $i)) (i32.const 1)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (i32.store (i32.add (i32.const 4100) (local.get $n)) (i32.const 0x4001b)) ;; CARRY (27)
    (i32.store (i32.add (i32.const 4104) (local.get $n)) (local.get $n))
    (i64.or (i64.const 0x30000)
      (i64.shl (i64.extend_i32_u (i32.add (local.get $n) (i32.const 12))) (i64.const 32))))
  ;; cert: names that begin with a
  (func (export "edgeftp_cert") (param i32) (result i64)
    (if (result i64) (i32.eq (i32.load8_u (call $at (i32.const 2))) (i32.const 97))
      (then (i64.const 0x10000)) (else (i64.const 0)))))
