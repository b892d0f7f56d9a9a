internal import Netfilter

/// Where the last rule stands that shares packets with a rule to come. Keys are told apart by 64 bits made of them: two
/// that fall together are taken to overlap, which costs a place in a map and never an order.
struct OverlapIndex {
  private let family: Family
  private var shapes: [Entry] = []
  private var numbers: [KeyShape: Int] = [:]
  /// What is known of the keys of one shape as far as another states them too.
  private var projections: [Projection] = []

  private struct Entry {
    let shape: KeyShape
    var keys: [(key: HeaderKey, item: Int32)] = []
    /// Projections of its own keys, by their shape.
    var own: [(shape: KeyShape, projection: Int)] = []
    /// Projections of the keys of all shapes with which it may share packets.
    var asked: [Int] = []
    /// How many shapes were there when `asked` was made.
    var considered = 0
  }

  private struct Projection {
    let digest: KeyDigest
    private var latest = LatestTable()

    init(_ digest: KeyDigest) { self.digest = digest }

    func find(_ key: HeaderKey) -> Int32 {
      guard let range = digest.range(of: key) else { return latest.find(digest.of(key)) }
      let others = digest.of(key)
      var found: Int32 = -1
      PortTree.find(range) { found = max(found, latest.find(KeyDigest.of(others, $0))) }
      return found
    }

    mutating func raise(_ key: HeaderKey, to item: Int32) {
      let others = digest.of(key)
      guard let range = digest.range(of: key) else { return latest.raise(others, to: item) }
      PortTree.enter(range) { latest.raise(KeyDigest.of(others, $0), to: item) }
    }
  }

  init(_ family: Family) { self.family = family }

  mutating func number(of shape: KeyShape) -> Int {
    if let known = numbers[shape] { return known }
    numbers[shape] = shapes.count
    shapes.append(Entry(shape: shape))
    return shapes.count - 1
  }

  /// The greatest item number among rules that share packets with these keys; -1 where there is none.
  mutating func latest(_ keys: [HeaderKey], _ shape: Int) -> Int32 {
    while shapes[shape].considered < shapes.count {
      let other = shapes[shape].considered
      shapes[shape].considered += 1
      guard let common = shapes[other].shape.common(with: shapes[shape].shape) else { continue }
      let projection = projection(of: other, on: common)
      shapes[shape].asked.append(projection)
    }
    var latest: Int32 = -1
    for projection in shapes[shape].asked {
      for key in keys {
        latest = max(latest, projections[projection].find(key))
      }
    }
    return latest
  }

  private mutating func projection(of shape: Int, on common: KeyShape) -> Int {
    if let known = shapes[shape].own.first(where: { $0.shape == common }) { return known.projection }
    var made = Projection(KeyDigest(common, family))
    for (key, item) in shapes[shape].keys { made.raise(key, to: item) }
    projections.append(made)
    shapes[shape].own.append((common, projections.count - 1))
    return projections.count - 1
  }

  mutating func insert(_ keys: [HeaderKey], _ shape: Int, item: Int32) {
    for key in keys {
      shapes[shape].keys.append((key, item))
      for (_, projection) in shapes[shape].own {
        projections[projection].raise(key, to: item)
      }
    }
  }
}

/// 64 bits of a key as far as a shape looks at it, but for ranges of ports.
struct KeyDigest {
  private let sourceMask: UInt128
  private let destinationMask: UInt128
  private let fields: KeyShape.Fields

  init(_ shape: KeyShape, _ family: Family) {
    sourceMask = AddressMask.prefixMask(Int(shape.sourceBits), family)
    destinationMask = AddressMask.prefixMask(Int(shape.destinationBits), family)
    fields = shape.fields
  }

  func of(_ key: HeaderKey) -> UInt64 {
    var digest: UInt64 = 0x9e37_79b9_7f4a_7c15
    if sourceMask != 0 { Self.mix(&digest, key.source & sourceMask) }
    if destinationMask != 0 { Self.mix(&digest, key.destination & destinationMask) }
    var small: UInt64 = 0
    if fields.contains(.sourcePort), !fields.contains(.sourceRange) { small |= UInt64(key.sourcePort) }
    if fields.contains(.destinationPort), !fields.contains(.destinationRange) {
      small |= UInt64(key.destinationPort) << 16
    }
    if fields.contains(.icmpType) { small |= UInt64(key.icmpType) << 32 }
    if fields.contains(.icmpCode) { small |= UInt64(key.icmpCode) << 40 }
    Self.mix(&digest, small)
    if fields.contains(.inInterface) { Self.mix(&digest, key.inInterface) }
    if fields.contains(.outInterface) { Self.mix(&digest, key.outInterface) }
    return digest == 0 ? 1 : digest
  }

  /// The ports by which keys of one digest are told apart, if the shape has ranges; where it has them on both sides those
  /// of the destination, and the source tells nothing.
  func range(of key: HeaderKey) -> ClosedRange<UInt16>? {
    if fields.contains(.destinationRange) { return key.destinationPorts }
    return fields.contains(.sourceRange) ? key.sourcePorts : nil
  }

  /// A digest with a name of ``PortTree``.
  static func of(_ others: UInt64, _ name: UInt64) -> UInt64 {
    var digest = others
    mix(&digest, name)
    return digest == 0 ? 1 : digest
  }

  private static func mix(_ digest: inout UInt64, _ value: UInt128) {
    mix(&digest, UInt64(truncatingIfNeeded: value))
    if value >> 64 != 0 { mix(&digest, UInt64(truncatingIfNeeded: value >> 64)) }
  }

  private static func mix(_ digest: inout UInt64, _ value: UInt64) {
    let product = (digest ^ value).multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
    digest = product.high ^ product.low &+ 0x9e37_79b9_7f4a_7c15
  }
}

/// The greatest number given for each digest.
struct LatestTable {
  private struct Slot {
    var digest: UInt64 = 0
    var item: Int32 = -1
  }

  private var slots: [Slot] = []
  private var count = 0

  func find(_ digest: UInt64) -> Int32 {
    guard count > 0 else { return -1 }
    let mask = slots.count - 1
    var place = Int(truncatingIfNeeded: digest) & mask
    while slots[place].digest != 0 {
      if slots[place].digest == digest { return slots[place].item }
      place = (place + 1) & mask
    }
    return -1
  }

  mutating func raise(_ digest: UInt64, to item: Int32) {
    if count * 2 >= slots.count { grow() }
    let mask = slots.count - 1
    var place = Int(truncatingIfNeeded: digest) & mask
    while slots[place].digest != 0 {
      if slots[place].digest == digest {
        slots[place].item = max(slots[place].item, item)
        return
      }
      place = (place + 1) & mask
    }
    slots[place] = Slot(digest: digest, item: item)
    count += 1
  }

  private mutating func grow() {
    let old = slots
    let size = max(64, old.count * (old.count < 1 << 20 ? 4 : 2))
    slots = [Slot](repeating: Slot(), count: size)
    for slot in old where slot.digest != 0 {
      var next = Int(truncatingIfNeeded: slot.digest) & (size - 1)
      while slots[next].digest != 0 { next = (next + 1) & (size - 1) }
      slots[next] = slot
    }
  }
}
