//! The build id that a linker leaves in an ELF file: a digest of what it linked, there for the reading.

/// Type and owner of the note that holds it.
const NOTE_TYPE: u32 = 3;
const NOTE_OWNER: &[u8] = b"GNU\0";
const SEGMENT_IS_NOTES: u32 = 4;

/// The build id in the first bytes of a 64-bit little-endian ELF file; none where there is none, or it
/// lies further back.
pub(crate) fn build_id(file: &[u8]) -> Option<&[u8]> {
    const ELF_64_LITTLE: &[u8] = b"\x7fELF\x02\x01";
    if !file.starts_with(ELF_64_LITTLE) {
        return None;
    }
    let headers = usize::try_from(u64_at(file, 32)?).ok()?;
    let header_bytes = usize::from(u16_at(file, 54)?);
    let count = usize::from(u16_at(file, 56)?);
    (0..count).find_map(|number| {
        let header = file.get(headers.checked_add(number * header_bytes)?..)?;
        if u32_at(header, 0)? != SEGMENT_IS_NOTES {
            return None;
        }
        let start = usize::try_from(u64_at(header, 8)?).ok()?;
        let length = usize::try_from(u64_at(header, 32)?).ok()?;
        let alignment = if u64_at(header, 48)? == 8 { 8 } else { 4 };
        in_notes(file.get(start..start.checked_add(length)?)?, alignment)
    })
}

fn in_notes(mut notes: &[u8], alignment: usize) -> Option<&[u8]> {
    const HEAD_BYTES: usize = 12;
    loop {
        let owner_bytes = u32_at(notes, 0)? as usize;
        let id_bytes = u32_at(notes, 4)? as usize;
        let kind = u32_at(notes, 8)?;
        let id_start = (HEAD_BYTES + owner_bytes).next_multiple_of(alignment);
        let owner = notes.get(HEAD_BYTES..HEAD_BYTES + owner_bytes)?;
        let id = notes.get(id_start..id_start + id_bytes)?;
        if kind == NOTE_TYPE && owner == NOTE_OWNER && !id.is_empty() {
            return Some(id);
        }
        notes = notes.get((id_start + id_bytes).next_multiple_of(alignment)..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::build_id;

    /// An ELF file with two segments, the second of notes: one of somebody else, then the id.
    fn elf(id: &[u8]) -> Vec<u8> {
        let mut notes = Vec::new();
        for (kind, owner, content) in [(1u32, &b"Other\0"[..], &b"12345"[..]), (3, b"GNU\0", id)] {
            notes.extend((owner.len() as u32).to_le_bytes());
            notes.extend((content.len() as u32).to_le_bytes());
            notes.extend(kind.to_le_bytes());
            for part in [owner, content] {
                notes.extend(part);
                notes.resize(notes.len().next_multiple_of(4), 0);
            }
        }
        let mut file = vec![0; 64 + 2 * 56];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[32..40].copy_from_slice(&64u64.to_le_bytes());
        file[54..56].copy_from_slice(&56u16.to_le_bytes());
        file[56..58].copy_from_slice(&2u16.to_le_bytes());
        let header = 64 + 56;
        let start = file.len() as u64;
        file[header..header + 4].copy_from_slice(&4u32.to_le_bytes());
        file[header + 8..header + 16].copy_from_slice(&start.to_le_bytes());
        file[header + 32..header + 40].copy_from_slice(&(notes.len() as u64).to_le_bytes());
        file.extend(notes);
        file
    }

    #[test]
    fn the_id_is_found_behind_other_notes() {
        assert_eq!(
            build_id(&elf(b"twenty bytes of sha1")),
            Some(&b"twenty bytes of sha1"[..])
        );
        assert_eq!(build_id(&elf(b"")), None);
        assert_eq!(build_id(b"#!/bin/sh"), None);
    }

    #[test]
    fn no_file_makes_it_panic() {
        let whole = elf(b"12345678");
        for end in 0..whole.len() {
            assert_eq!(build_id(&whole[..end]), None);
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut other = whole.clone();
                other[at] = value;
                build_id(&other);
            }
        }
    }
}
