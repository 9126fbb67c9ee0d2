//! reed-solomon-simd behind the interface of `../peer.h`. It knows nothing newer than AVX2.

use std::slice::{from_raw_parts, from_raw_parts_mut};

#[repr(C)]
pub struct PeerCase {
    k: usize,
    n: usize,
    _source_numbers: *const u8,
    wanted_numbers: *const u8,
    wanted_count: usize,
    _rows: *const u8,
    length: usize,
    present: *const u8,
    _avx2_only: u8,
}

impl PeerCase {
    unsafe fn wanted(&self) -> Vec<usize> {
        from_raw_parts(self.wanted_numbers, self.wanted_count).iter().map(|&number| number as usize).collect()
    }
}

pub struct Simd {
    case_k: usize,
    case_n: usize,
    length: usize,
    present: Vec<bool>,
    wanted: Vec<usize>,
    encoder: Option<reed_solomon_simd::ReedSolomonEncoder>,
    decoder: Option<reed_solomon_simd::ReedSolomonDecoder>,
}

/// # Safety
/// `case` points at a valid case.
#[no_mangle]
pub unsafe extern "C" fn rssimd_create(case: &PeerCase) -> *mut Simd {
    let present: Vec<bool> = from_raw_parts(case.present, case.n).iter().map(|&flag| flag != 0).collect();
    let wanted = case.wanted();
    let recovery = case.n - case.k;
    if case.length % 2 != 0 || recovery == 0 {
        return std::ptr::null_mut();
    }
    let encoder = wanted
        .iter()
        .any(|&number| number >= case.k)
        .then(|| reed_solomon_simd::ReedSolomonEncoder::new(case.k, recovery, case.length).ok())
        .flatten();
    let decoder = wanted
        .iter()
        .any(|&number| number < case.k)
        .then(|| reed_solomon_simd::ReedSolomonDecoder::new(case.k, recovery, case.length).ok())
        .flatten();
    Box::into_raw(Box::new(Simd { case_k: case.k, case_n: case.n, length: case.length, present, wanted, encoder, decoder }))
}

/// # Safety
/// `shares` holds n blocks of the case's length.
#[no_mangle]
pub unsafe extern "C" fn rssimd_run(coder: &mut Simd, shares: *const *mut u8) -> i32 {
    let block = |number: usize| from_raw_parts(*shares.add(number) as *const u8, coder.length);
    if let Some(decoder) = &mut coder.decoder {
        for number in (0..coder.case_k).filter(|&number| coder.present[number]) {
            if decoder.add_original_shard(number, block(number)).is_err() {
                return 1;
            }
        }
        let missing = (0..coder.case_k).filter(|&number| !coder.present[number]).count();
        for number in (coder.case_k..coder.case_n).filter(|&number| coder.present[number]).take(missing) {
            if decoder.add_recovery_shard(number - coder.case_k, block(number)).is_err() {
                return 2;
            }
        }
        match decoder.decode() {
            Ok(result) => {
                for (number, restored) in result.restored_original_iter() {
                    from_raw_parts_mut(*shares.add(number), coder.length).copy_from_slice(restored);
                }
            }
            Err(_) => return 3,
        }
    }
    if let Some(encoder) = &mut coder.encoder {
        for number in 0..coder.case_k {
            if encoder.add_original_shard(block(number)).is_err() {
                return 4;
            }
        }
        match encoder.encode() {
            Ok(result) => {
                for &number in coder.wanted.iter().filter(|&&number| number >= coder.case_k) {
                    if let Some(made) = result.recovery(number - coder.case_k) {
                        from_raw_parts_mut(*shares.add(number), coder.length).copy_from_slice(made);
                    }
                }
            }
            Err(_) => return 5,
        }
    }
    0
}

/// # Safety
/// `coder` came from `rssimd_create`.
#[no_mangle]
pub unsafe extern "C" fn rssimd_destroy(coder: *mut Simd) {
    drop(Box::from_raw(coder));
}
