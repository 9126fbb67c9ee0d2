//! ISA-L and reed-solomon-simd behind the interface of `../peer.h`.

use std::slice::{from_raw_parts, from_raw_parts_mut};

extern crate isal_sys; // links the static libisal that the crate builds

extern "C" {
    fn ec_init_tables(k: i32, rows: i32, weights: *const u8, tables: *mut u8);
    fn ec_encode_data(length: i32, k: i32, rows: i32, tables: *const u8, sources: *const *const u8, outputs: *const *mut u8);
}

#[repr(C)]
pub struct PeerCase {
    k: usize,
    n: usize,
    source_numbers: *const u8,
    wanted_numbers: *const u8,
    wanted_count: usize,
    rows: *const u8,
    length: usize,
    present: *const u8,
}

impl PeerCase {
    unsafe fn sources(&self) -> Vec<usize> {
        from_raw_parts(self.source_numbers, self.k).iter().map(|&number| number as usize).collect()
    }
    unsafe fn wanted(&self) -> Vec<usize> {
        from_raw_parts(self.wanted_numbers, self.wanted_count).iter().map(|&number| number as usize).collect()
    }
}

pub struct Isal {
    length: usize,
    tables: Vec<u8>,
    source_numbers: Vec<usize>,
    wanted_numbers: Vec<usize>,
}

/// # Safety
/// `case` points at a valid case.
#[no_mangle]
pub unsafe extern "C" fn isal_create(case: &PeerCase) -> *mut Isal {
    let mut tables = vec![0u8; 32 * case.k * case.wanted_count];
    ec_init_tables(case.k as i32, case.wanted_count as i32, case.rows, tables.as_mut_ptr());
    Box::into_raw(Box::new(Isal { length: case.length, tables, source_numbers: case.sources(), wanted_numbers: case.wanted() }))
}

/// # Safety
/// `shares` holds n blocks of the case's length.
#[no_mangle]
pub unsafe extern "C" fn isal_run(coder: &Isal, shares: *const *mut u8) -> i32 {
    let mut sources = [std::ptr::null::<u8>(); 256];
    let mut outputs = [std::ptr::null_mut::<u8>(); 256];
    for (slot, &number) in sources.iter_mut().zip(&coder.source_numbers) {
        *slot = *shares.add(number);
    }
    for (slot, &number) in outputs.iter_mut().zip(&coder.wanted_numbers) {
        *slot = *shares.add(number);
    }
    ec_encode_data(
        coder.length as i32,
        coder.source_numbers.len() as i32,
        coder.wanted_numbers.len() as i32,
        coder.tables.as_ptr(),
        sources.as_ptr(),
        outputs.as_ptr(),
    );
    0
}

/// # Safety
/// `coder` came from `isal_create`.
#[no_mangle]
pub unsafe extern "C" fn isal_destroy(coder: *mut Isal) {
    drop(Box::from_raw(coder));
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
