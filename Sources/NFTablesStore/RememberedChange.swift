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

  init(of count: Int, _ pieces: [Piece], width: Int) { (self.count, self.pieces, self.width) = (count, pieces, width) }

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

  /// Puts where the rules that came are in the place of those that went.
  /// - Parameter words: of ``count`` rules.
  func carryOut(on words: inout [UInt64]) {
    for piece in pieces.reversed() {
      words.replaceSubrange(piece.start * width..<(piece.start + piece.removed) * width, with: piece.words)
    }
  }

  /// Rules one behind the other, and where they are in the kernel.
  struct Subject {
    let family: Family
    private(set) var bytes: [UInt8] = []
    /// See ``RememberedRules/Key/words``.
    private(set) var words: [UInt64] = []
    /// Where each rule begins, and where the last one ends; nil until that is asked for.
    private var starts: [Int]?

    init(_ family: Family, bytes: [UInt8] = [], words: [UInt64] = []) {
      (self.family, self.bytes, self.words) = (family, bytes, words)
    }

    /// So many pieces are put in place; for more all is written once more.
    private static let fewPieces = 8

    /// - Returns: false where these are not rules that the change can be carried out on; they are of no use then.
    mutating func take(_ change: RememberedChange) -> Bool {
      let width = change.width
      guard words.count == change.count * width, let starts = starts ?? Self.starts(bytes, family),
        starts.count == change.count + 1
      else { return false }
      guard change.pieces.count <= Self.fewPieces else {
        rewrite(change, starts)
        return true
      }
      self.starts = nil
      var moved = starts
      for piece in change.pieces.reversed() {
        let rules = piece.start..<piece.start + piece.removed
        let range = moved[rules.lowerBound]..<moved[rules.upperBound]
        guard let added = Self.starts(piece.bytes, family), added.count == piece.added + 1 else { return false }
        bytes.replaceSubrange(range, with: piece.bytes)
        let shift = piece.bytes.count - range.count
        for index in rules.upperBound..<moved.count { moved[index] += shift }
        moved.replaceSubrange(rules, with: added.dropLast().map { $0 + range.lowerBound })
      }
      change.carryOut(on: &words)
      self.starts = moved
      return true
    }

    private mutating func rewrite(_ change: RememberedChange, _ starts: [Int]) {
      let width = change.width
      var newBytes: [UInt8] = []
      var newWords: [UInt64] = []
      newBytes.reserveCapacity(bytes.count + change.pieces.reduce(0) { $0 + $1.bytes.count })
      newWords.reserveCapacity(change.newCount * width)
      var from = 0
      for piece in change.pieces {
        newBytes += bytes[starts[from]..<starts[piece.start]]
        newBytes += piece.bytes
        newWords += words[from * width..<piece.start * width]
        newWords += piece.words
        from = piece.start + piece.removed
      }
      newBytes += bytes[starts[from]...]
      newWords += words[(from * width)...]
      (bytes, words, self.starts) = (newBytes, newWords, nil)
    }

    /// nil where the bytes are not those of rules.
    private static func starts(_ bytes: [UInt8], _ family: Family) -> [Int]? {
      let next = RuleCodec.Layout.of(family).nextOffset
      var starts: [Int] = []
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
        return start == all.count ? starts : nil
      }
    }
  }
}
