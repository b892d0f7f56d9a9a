internal import Netfilter

/// Bytes without their zeros: the kernel's structures of rules consist of them for the greater part, and what is to be safe
/// from a loss of power takes the longer the more it is.
///
/// Of each 64 words of 8 bytes first a word whose bits tell which of them are not zero, from the lowest bit on, in host order;
/// then these words.
enum PackedWords {
  private static let wordSize = 8
  private static let groupSize = 64

  /// - Precondition: a whole number of words.
  static func pack(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    let words = bytes.count / wordSize
    precondition(words * wordSize == bytes.count, "not a whole number of words")
    let groups = (words + groupSize - 1) / groupSize
    // A word is written before it is known whether it stays.
    return [UInt8](unsafeUninitializedCapacity: bytes.count + (groups + 1) * wordSize) { buffer, count in
      let out = UnsafeMutableRawBufferPointer(buffer)
      var place = 0
      var word = 0
      while word < words {
        let head = place
        place += wordSize
        var present: UInt64 = 0
        for bit in 0..<UInt64(min(groupSize, words - word)) {
          let value = bytes.loadUnaligned(fromByteOffset: (word + Int(bit)) * wordSize, as: UInt64.self)
          out.storeBytes(of: value, toByteOffset: place, as: UInt64.self)
          present |= (value == 0 ? 0 : 1) &<< bit
          place &+= value == 0 ? 0 : wordSize
        }
        out.storeBytes(of: present, toByteOffset: head, as: UInt64.self)
        word += groupSize
      }
      count = place
    }
  }

  /// - Parameter size: of what was packed, in bytes.
  /// - Returns: nil where these are not the packed bytes of so many.
  static func unpack(_ bytes: UnsafeRawBufferPointer, size: Int) -> [UInt8]? {
    let words = size / wordSize
    // A group of nothing but zeros has one word.
    guard size >= 0, words * wordSize == size, bytes.count * groupSize >= size else { return nil }
    var isWhole = true
    let result = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      let out = UnsafeMutableRawBufferPointer(buffer)
      var place = 0
      var word = 0
      while word < words {
        let group = min(groupSize, words - word)
        guard place + wordSize <= bytes.count else { break }
        let present = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        place += wordSize
        guard group == groupSize || present >> UInt64(group) == 0,
          place + present.nonzeroBitCount * wordSize <= bytes.count
        else { break }
        for bit in 0..<UInt64(group) {
          var value: UInt64 = 0
          if present &>> bit & 1 != 0 {
            value = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            place += wordSize
          }
          out.storeBytes(of: value, toByteOffset: (word + Int(bit)) * wordSize, as: UInt64.self)
        }
        word += group
      }
      isWhole = word == words && place == bytes.count
      count = isWhole ? size : 0
    }
    return isWhole ? result : nil
  }
}
