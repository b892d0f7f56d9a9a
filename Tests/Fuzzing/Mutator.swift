import Netfilter

/// Changes inputs so that what comes out still looks like one: words of commands, fields of structures.
public struct Mutator {
  private let target: FuzzTarget
  private let seeds: [[UInt8]]

  public init(_ target: FuzzTarget, seeds: [[UInt8]]? = nil) {
    self.target = target
    self.seeds = seeds ?? Seeds.of(target)
  }

  /// A new input.
  public func input(_ dice: inout Dice) -> [UInt8] {
    mutated(dice.pick(seeds), &dice)
  }

  /// The input with some changes.
  public func mutated(_ input: [UInt8], _ dice: inout Dice) -> [UInt8] {
    var bytes = input
    for _ in 0..<1 + dice.below(4) {
      switch target {
      case .text: bytes = dice.chance(3) ? lines(bytes, &dice) : words(bytes, &dice)
      case .command: bytes = words(bytes, &dice)
      case .rule: rule(&bytes, &dice)
      case .image: image(&bytes, &dice)
      }
    }
    return bytes
  }

  // MARK: Text

  private func lines(_ bytes: [UInt8], _ dice: inout Dice) -> [UInt8] {
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
    let place = dice.below(lines.count)
    switch dice.below(5) {
    case 0: lines.remove(at: place)
    case 1: lines.insert(lines[place], at: dice.below(lines.count + 1))
    case 2: lines.swapAt(place, dice.below(lines.count))
    case 3:
      let other = dice.pick(seeds).split(separator: UInt8(ascii: "\n")).map(Array.init)
      if !other.isEmpty { lines.insert(dice.pick(other), at: place) }
    default:
      let rule = dice.pick(Seeds.commands).split(separator: " ", maxSplits: 1).last.map { Array($0.utf8) }
      lines.insert(rule ?? [], at: place)
    }
    return Array(lines.joined(separator: [UInt8(ascii: "\n")]))
  }

  private func words(_ bytes: [UInt8], _ dice: inout Dice) -> [UInt8] {
    if dice.chance(12) { return raw(bytes, &dice) }
    var words = bytes.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map(Array.init)
    let place = dice.below(words.count)
    let word = Array(dice.pick(Seeds.words).utf8)
    switch dice.below(8) {
    case 0 where words.count > 1: words.remove(at: place)
    case 1: words.insert(words[place], at: dice.below(words.count + 1))
    case 2: words.swapAt(place, dice.below(words.count))
    case 3, 4: words[place] = word
    case 5: words.insert(word, at: place)
    case 6:
      let rest = dice.pick(Seeds.commands).split(separator: " ").dropFirst(3).map { Array($0.utf8) }
      words.insert(contentsOf: rest, at: dice.below(words.count + 1))
    default: words[place] = value(words[place], &dice)
    }
    return Array(words.joined(separator: [UInt8(ascii: " ")]))
  }

  /// A word changed inside: joined with another, cut, grown.
  private func value(_ word: [UInt8], _ dice: inout Dice) -> [UInt8] {
    let other = Array(dice.pick(Seeds.words).utf8)
    switch dice.below(5) {
    case 0: return word + [dice.pick(Array(",:/-=+.".utf8))] + other
    case 1: return Array(word.prefix(dice.below(word.count + 1)))
    case 2: return Array(repeatElement(word, count: 1 + dice.below(40)).joined())
    case 3: return [UInt8(ascii: "\"")] + word + [UInt8(ascii: "\"")]
    default: return raw(word, &dice)
    }
  }

  private func raw(_ bytes: [UInt8], _ dice: inout Dice) -> [UInt8] {
    var bytes = bytes
    let place = dice.below(bytes.count + 1)
    switch dice.below(4) {
    case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8(dice.below(8))
    case 1 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: dice.next())
    case 2: bytes.removeSubrange(place..<min(bytes.count, place + 1 + dice.below(8)))
    default: bytes.insert(UInt8(truncatingIfNeeded: dice.next()), at: place)
    }
    return bytes
  }

  // MARK: Kernel bytes

  private static let edges: [UInt64] = [
    0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 33, 39, 40, 41, 64, 111, 112, 127, 128, 168, 255, 256, 0x7fff, 0x8000, 0xffff,
    0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x504d_554a, .max,
  ]

  /// Changes a number somewhere, of 1, 2, 4 or 8 bytes, most often where structures have one.
  private func number(_ bytes: inout [UInt8], in range: Range<Int>, _ dice: inout Dice) {
    guard !range.isEmpty else { return }
    let size = dice.pick([1, 1, 2, 4, 8])
    let place = (range.lowerBound + dice.below(range.count)) / size * size
    guard place + size <= bytes.count, range.contains(place) else { return }
    if dice.chance(3) {
      bytes[place] ^= 1 << UInt8(dice.below(8))
      return
    }
    let value = dice.chance(4) ? dice.next() : dice.pick(Self.edges)
    for byte in 0..<size { bytes[place + byte] = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte)) }
  }

  private func write16(_ value: Int, _ bytes: inout [UInt8], at place: Int) {
    guard place >= 0, place + 2 <= bytes.count else { return }
    bytes[place] = UInt8(truncatingIfNeeded: value)
    bytes[place + 1] = UInt8(truncatingIfNeeded: value >> 8)
  }

  private func read16(_ bytes: [UInt8], at place: Int) -> Int {
    place + 2 <= bytes.count ? Int(bytes[place]) | Int(bytes[place + 1]) << 8 : 0
  }

  private func layout(_ bytes: [UInt8]) -> RuleCodec.Layout { .of((bytes.first ?? 0) & 1 == 0 ? .ipv4 : .ipv6) }

  /// The places of a rule's extensions, for a rule that begins at `start`.
  private func extensions(_ bytes: [UInt8], from start: Int) -> [Int] {
    let layout = layout(bytes)
    let target = start + read16(bytes, at: start + layout.targetOffset)
    var places: [Int] = []
    var place = start + layout.size
    while place < target, place + RuleCodec.extensionHeaderSize <= bytes.count, places.count < 64 {
      places.append(place)
      let size = read16(bytes, at: place)
      guard size > 0 else { break }
      place += size
    }
    return target + RuleCodec.extensionHeaderSize <= bytes.count ? places + [target] : places
  }

  private func rule(_ bytes: inout [UInt8], _ dice: inout Dice) {
    guard bytes.count > 1 else {
      bytes = dice.pick(seeds)
      return
    }
    let places = extensions(bytes, from: 1)
    switch dice.below(10) {
    case 0: number(&bytes, in: 1..<min(bytes.count, 1 + layout(bytes).size), &dice)
    case 1...5 where !places.isEmpty:
      let place = dice.pick(places)
      let end = min(bytes.count, place + max(RuleCodec.extensionHeaderSize + 1, read16(bytes, at: place)))
      number(&bytes, in: min(end, place + RuleCodec.extensionHeaderSize)..<end, &dice)
    case 6 where !places.isEmpty: rename(&bytes, dice.pick(places), &dice)
    case 7 where !places.isEmpty: resize(&bytes, dice.pick(places), &dice)
    case 8: splice(&bytes, &dice)
    default:
      if dice.chance(2) { bytes = raw(bytes, &dice) } else { bytes.removeLast(min(bytes.count - 1, dice.below(48))) }
    }
  }

  /// Gives an extension another's name, or another revision.
  private func rename(_ bytes: inout [UInt8], _ place: Int, _ dice: inout Dice) {
    guard place + RuleCodec.extensionHeaderSize <= bytes.count else { return }
    if dice.chance(2) {
      bytes[place + RuleCodec.extensionHeaderSize - 1] = UInt8(dice.below(5))
      return
    }
    let name = Array(dice.pick(Seeds.words).utf8.prefix(RuleCodec.extensionNameSize))
    for offset in 0..<RuleCodec.extensionNameSize { bytes[place + 2 + offset] = offset < name.count ? name[offset] : 0 }
  }

  /// Makes an extension longer or shorter, and the sizes around it fit, or not.
  private func resize(_ bytes: inout [UInt8], _ place: Int, _ dice: inout Dice) {
    let layout = layout(bytes)
    let size = read16(bytes, at: place)
    let change = dice.pick([-16, -8, -4, -1, 1, 4, 8, 16, 256])
    let end = place + size
    guard end <= bytes.count, size + change >= 0, end + min(change, 0) >= place else { return }
    if change > 0 {
      bytes.insert(contentsOf: repeatElement(dice.chance(2) ? 0 : 0xff, count: change), at: end)
    } else {
      bytes.removeSubrange(end + change..<end)
    }
    write16(size + change, &bytes, at: place)
    if dice.chance(4) { return }
    let target = 1 + read16(bytes, at: 1 + layout.targetOffset)
    if place < target { write16(target - 1 + change, &bytes, at: 1 + layout.targetOffset) }
    write16(bytes.count - 1, &bytes, at: 1 + layout.nextOffset)
  }

  /// Puts an extension of another rule of the family before the others.
  private func splice(_ bytes: inout [UInt8], _ dice: inout Dice) {
    let layout = layout(bytes)
    let other = dice.pick(seeds)
    guard other.first == bytes.first, bytes.count > layout.size + 1 else { return }
    let places = extensions(other, from: 1)
    guard let place = places.isEmpty ? nil : dice.pick(places) else { return }
    let size = read16(other, at: place)
    guard size > 0, place + size <= other.count else { return }
    bytes.insert(contentsOf: other[place..<place + size], at: 1 + layout.size)
    write16(read16(bytes, at: 1 + layout.targetOffset) + size, &bytes, at: 1 + layout.targetOffset)
    write16(bytes.count - 1, &bytes, at: 1 + layout.nextOffset)
  }

  private func image(_ bytes: inout [UInt8], _ dice: inout Dice) {
    let header = 85
    guard bytes.count > header else {
      bytes = dice.pick(seeds)
      return
    }
    let layout = layout(bytes)
    var entries: [Int] = []
    var place = header
    while place + layout.size <= bytes.count, entries.count < 4096 {
      entries.append(place)
      let next = read16(bytes, at: place + layout.nextOffset)
      guard next > 0 else { break }
      place += next
    }
    guard let entry = entries.isEmpty ? nil : dice.pick(entries) else { return bytes = raw(bytes, &dice) }
    let size = max(1, read16(bytes, at: entry + layout.nextOffset))
    let end = min(bytes.count, entry + size)
    switch dice.below(10) {
    case 0: number(&bytes, in: 33..<header, &dice)
    case 1: write16(Int(truncatingIfNeeded: dice.pick(Self.edges) & 0xffff), &bytes, at: entry + layout.nextOffset)
    case 2: write16(Int(truncatingIfNeeded: dice.pick(Self.edges) & 0xffff), &bytes, at: entry + layout.targetOffset)
    case 3, 4:
      let parts = extensions(bytes, from: entry)
      if let part = parts.isEmpty ? nil : dice.pick(parts) {
        number(&bytes, in: part..<min(bytes.count, part + max(1, read16(bytes, at: part))), &dice)
      }
    case 5: bytes.removeSubrange(entry..<end)
    case 6: bytes.insert(contentsOf: bytes[entry..<end], at: dice.pick(entries))
    case 7: bytes.removeLast(min(bytes.count - 1, dice.below(256)))
    case 8:
      let rule = dice.pick(Seeds.rules)
      if (rule.family == .ipv4) == (bytes[0] & 1 == 0) { bytes.insert(contentsOf: rule.bytes, at: entry) }
    default: number(&bytes, in: entry..<end, &dice)
    }
    if dice.chance(2) { shiftHooks(&bytes, &dice) }
  }

  /// Moves the offsets of a hook behind what has changed its size.
  private func shiftHooks(_ bytes: inout [UInt8], _ dice: inout Dice) {
    let hook = dice.below(5)
    for table in [1 + 36, 1 + 56] where table + 4 * hook + 2 <= bytes.count {
      let place = table + 4 * hook
      write16(read16(bytes, at: place) + dice.pick([-152, -208, 152, 208, 8, -8]) & 0xffff, &bytes, at: place)
    }
  }
}
