;; Looks at what transfers carry, and lets it pass: at nothing of it, or, with any
;; settings, at all of it, by eights. Build it with: wat2wasm chunks.wat
(module
  (memory (export "memory") 3)
  (global $look (mut i32) (i32.const 0))
  (global $sum (mut i64) (i64.const 0))

  ;; The mailbox: 81,920 bytes at 4,096.
  (func (export "edgeftp_abi_v1") (param $host_minor i32) (param $features i64) (result i64)
    (i64.const 0x00014000_00001000))

  (func (export "edgeftp_config") (param $len i32) (result i64)
    (global.set $look (local.get $len))
    (i64.const 0))

  (func (export "edgeftp_data") (param $len i32) (result i64)
    (local $at i32) (local $end i32) (local $sum i64)
    (if (i32.eqz (global.get $look)) (then (return (i64.const 0))))
    ;; span 2, ARG
    (local.set $at (i32.add (i32.const 4096) (i32.load (i32.const 4168))))
    (local.set $end (i32.add (local.get $at) (i32.and (i32.load (i32.const 4172)) (i32.const 0xfffffff8))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $sum (i64.add (local.get $sum) (i64.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $next)))
    (global.set $sum (i64.add (global.get $sum) (local.get $sum)))
    (i64.const 0)))
