internal import Netfilter
internal import RuleStore

/// How the rules of a chain that are remembered became others: pieces of the list, each with what came in its place.
struct RememberedChange {
  struct Piece {
    /// The place of the first rule that went, or before which others came.
    let start: Int
    /// How many rules went, and came.
    let removed: Int
    let added: Int
    /// Where those that came are (``RememberedRules/Key/words``).
    let words: [UInt64]
    /// The new rules, one behind the other (``RuleList/bytes``).
    let bytes: [UInt8]
  }

  /// How many rules there were.
  let count: Int
  /// In order, apart from each other.
  let pieces: [Piece]
  /// See ``RememberedRules/Key/words``.
  private let width: Int

  /// - Parameters:
  ///   - staying: for each new rule the old one that it is.
  ///   - width: see ``RememberedRules/Key/words``.
  ///   - words: where some of the new rules are; those that stay are where they were.
  init(of count: Int, staying: [Int?], to rules: RuleList, width: Int, _ words: (Range<Int>) -> [UInt64]) {
    (self.count, self.width) = (count, width)
    var pieces: [Piece] = []
    var from = 0
    var to = 0
    while from < count || to < staying.count {
      if to < staying.count, staying[to] == from {
        from += 1
        to += 1
        continue
      }
      let end = staying[to...].firstIndex { $0 != nil } ?? staying.count
      let next = end < staying.count ? staying[end]! : count
      let bytes =
        to < end ? Array(rules.bytes[rules.range(of: to).lowerBound..<rules.range(of: end - 1).upperBound]) : []
      pieces.append(
        Piece(
          start: from, removed: next - from, added: end - to, words: to < end ? words(to..<end) : [], bytes: bytes))
      from = next
      to = end
    }
    self.pieces = pieces
  }

  /// How many rules there are afterwards.
  var newCount: Int { pieces.reduce(count) { $0 - $1.removed + $1.added } }

  /// How many bytes it needs in a file.
  var size: Int { pieces.reduce(8) { $0 + 16 + $1.words.count * 8 + $1.bytes.count } }

  // MARK: Bytes

  func write(to out: inout ByteWriter) {
    out.write(UInt32(count))
    out.write(UInt32(pieces.count))
    for piece in pieces {
      for number in [piece.start, piece.removed, piece.added, piece.bytes.count] { out.write(UInt32(number)) }
      for word in piece.words { out.write(word) }
      out.write(piece.bytes)
    }
  }

  init(_ reader: inout ByteReader, width: Int) throws(WireError) {
    self.width = width
    count = Int(try reader.uint32("count"))
    var pieces: [Piece] = []
    var end = 0
    for _ in 0..<(try reader.uint32("pieces")) {
      let start = Int(try reader.uint32("start"))
      let removed = Int(try reader.uint32("removed"))
      let added = Int(try reader.uint32("added"))
      let size = Int(try reader.uint32("bytes"))
      guard start >= end, start + removed <= count, added * width * 8 <= reader.remaining else {
        throw reader.invalid("start")
      }
      end = start + removed
      var words: [UInt64] = []
      for _ in 0..<added * width { words.append(try reader.uint64("word")) }
      pieces.append(
        Piece(
          start: start, removed: removed, added: added, words: words, bytes: try reader.raw("rules", count: size)))
    }
    self.pieces = pieces
  }

  // MARK: Carrying it out

  /// Carries it out on rules one behind the other and on where they are.
  /// - Returns: false where these are not rules that it can be carried out on; they are of no use then.
  func carryOut(on bytes: inout [UInt8], _ words: inout [UInt64], _ family: Family) -> Bool {
    guard words.count == count * width, let starts = Self.starts(bytes, count, family) else { return false }
    // A few are put in place; for many all is written once more.
    if pieces.count <= 8 {
      for piece in pieces.reversed() {
        bytes.replaceSubrange(starts[piece.start]..<starts[piece.start + piece.removed], with: piece.bytes)
        words.replaceSubrange(piece.start * width..<(piece.start + piece.removed) * width, with: piece.words)
      }
      return true
    }
    var newBytes: [UInt8] = []
    var newWords: [UInt64] = []
    newBytes.reserveCapacity(bytes.count + pieces.reduce(0) { $0 + $1.bytes.count })
    newWords.reserveCapacity(newCount * width)
    var from = 0
    for piece in pieces {
      newBytes += bytes[starts[from]..<starts[piece.start]]
      newBytes += piece.bytes
      newWords += words[from * width..<piece.start * width]
      newWords += piece.words
      from = piece.start + piece.removed
    }
    newBytes += bytes[starts[from]...]
    newWords += words[(from * width)...]
    (bytes, words) = (newBytes, newWords)
    return true
  }

  /// Where each rule begins, and where the last one ends.
  private static func starts(_ bytes: [UInt8], _ count: Int, _ family: Family) -> [Int]? {
    let next = RuleCodec.Layout.of(family).nextOffset
    var starts: [Int] = []
    starts.reserveCapacity(count + 1)
    var start = 0
    return bytes.withUnsafeBytes { all in
      while start < all.count {
        starts.append(start)
        guard start + next + 2 <= all.count else { return nil }
        let size = Int(all.loadUnaligned(fromByteOffset: start + next, as: UInt16.self))
        guard size > 0 else { return nil }
        start += size
      }
      starts.append(start)
      return start == all.count && starts.count == count + 1 ? starts : nil
    }
  }
}
