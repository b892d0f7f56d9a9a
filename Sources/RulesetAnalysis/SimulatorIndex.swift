import Netfilter

/// Which of some rules a packet may match, a bit for each.
///
/// In each dimension (source, destination, interfaces, protocol, ports) the limits of all rules cut the values into
/// intervals, and for each interval a row of bits says which rules take its values. The rules that a packet may match are
/// those whose bits are set in all its rows. A bit that is not set is a definite no; one that is set says nothing.
final class RuleIndex: Sendable {
  enum Part: UInt8, Sendable, CaseIterable {
    case source
    case destination
    case inInterface
    case outInterface
    case proto
    case sourcePort
    case destinationPort
  }

  /// The intervals of one part of a packet. A limit is where an interval begins; the first, which begins at 0, has none.
  struct Dimension: Sendable {
    let part: Part
    let isWide: Bool
    /// Where its limits stand, in `wide` or in `narrow`.
    let limits: Range<Int>
    /// Where its rows begin in `rows`.
    let firstRow: Int
  }

  /// Eight words: what is looked at in one step.
  typealias Group = SIMD8<UInt64>
  static let rulesInGroup = 512

  /// The first of its rules in the chain.
  let firstRule: Int
  let groupCount: Int
  let dimensions: [Dimension]
  let narrow: [UInt32]
  let wide: [UInt128]
  let rows: [Group]
  /// The bits of rules that exist in the last group.
  let lastGroup: Group

  init(
    firstRule: Int, groupCount: Int, dimensions: [Dimension], narrow: [UInt32], wide: [UInt128], rows: [Group],
    lastGroup: Group
  ) {
    self.firstRule = firstRule
    self.groupCount = groupCount
    self.dimensions = dimensions
    self.narrow = narrow
    self.wide = wide
    self.rows = rows
    self.lastGroup = lastGroup
  }

  /// Where the packet's rows begin, one for each dimension; no row for a part that is not known.
  typealias Rows = SIMD8<Int32>

  func rows(of packet: Packet) -> (first: Rows, count: Int) {
    var result = Rows()
    var count = 0
    for dimension in dimensions {
      let interval: Int
      switch dimension.part {
      case .source: interval = place(of: packet.source.bits, dimension)
      case .destination: interval = place(of: packet.destination.bits, dimension)
      case .inInterface: interval = place(of: packet.inInterface.bits, dimension)
      case .outInterface: interval = place(of: packet.outInterface.bits, dimension)
      case .proto:
        guard !packet.hidesProtocol else { continue }
        interval = place(of: UInt32(packet.proto.rawValue), dimension)
      case .sourcePort:
        guard let port = packet.sourcePort, packet.hasWholeHeader else { continue }
        interval = place(of: UInt32(port), dimension)
      case .destinationPort:
        guard let port = packet.destinationPort, packet.hasWholeHeader else { continue }
        interval = place(of: UInt32(port), dimension)
      }
      result[count] = Int32(truncatingIfNeeded: dimension.firstRow + interval * groupCount)
      count += 1
    }
    return (result, count)
  }

  private func place(of value: UInt128, _ dimension: Dimension) -> Int {
    guard dimension.isWide else { return place(of: UInt32(truncatingIfNeeded: value), dimension) }
    return wide.withUnsafeBufferPointer { countOfValues(in: $0, dimension.limits, notAbove: value) }
  }

  private func place(of value: UInt32, _ dimension: Dimension) -> Int {
    narrow.withUnsafeBufferPointer { countOfValues(in: $0, dimension.limits, notAbove: value) }
  }

  /// The bits of 512 rules.
  func group(_ index: Int, _ first: Rows, _ count: Int) -> Group {
    var bits = index == groupCount - 1 ? lastGroup : Group(repeating: .max)
    rows.withUnsafeBufferPointer { rows in
      for place in 0..<count { bits &= rows[Int(first[place]) + index] }
    }
    return bits
  }
}

extension Packet {
  /// Whether ports alone exclude a rule. Where there are bytes to look into, a match before may find them cut short.
  fileprivate var hasWholeHeader: Bool { !isLaterFragment && bytes == nil }
}

/// How many of the sorted values in `range` are not above `value`.
@inline(__always)
private func countOfValues<Value: Comparable>(
  in values: UnsafeBufferPointer<Value>, _ range: Range<Int>, notAbove value: Value
) -> Int {
  var low = range.lowerBound
  var count = range.count
  while count > 0 {
    let half = (count + 1) / 2
    // Without a branch: which half it is cannot be foretold.
    low = values[low + half - 1] <= value ? low + half : low
    count -= half
  }
  return low - range.lowerBound
}

/// Where a walk stands in a chain, and which rules of it are still to be asked.
struct RuleCursor {
  let chain: Int
  /// The rule that was found last.
  private var last = -1
  private var block = 0
  private var group = 0
  private var lane = 0
  private var bits = RuleIndex.Group()
  private var first = RuleIndex.Rows()
  private var count = 0
  /// Of the packet whose rows these are; negative where none have been looked up.
  private var generation = -1

  init(chain: Int) { self.chain = chain }

  /// The next rule that the packet may match; nil behind the last one.
  mutating func next(_ chain: SimulatorChain, _ packet: Packet, _ now: Int) -> Int? {
    guard !chain.blocks.isEmpty else {
      last += 1
      return last < chain.rules.count ? last : nil
    }
    if generation != now {
      guard last + 1 < chain.rules.count else { return nil }
      start(behind: last, chain, packet, now)
    }
    while true {
      while lane < 8 {
        let word = bits[lane]
        if word != 0 {
          bits[lane] = word & (word - 1)
          last = chain.blocks[block].firstRule + group * RuleIndex.rulesInGroup + lane * 64 + word.trailingZeroBitCount
          return last
        }
        lane += 1
      }
      repeat {
        group += 1
        if group == chain.blocks[block].groupCount {
          block += 1
          guard block < chain.blocks.count else {
            last = chain.rules.count
            return nil
          }
          (first, count) = chain.blocks[block].rows(of: packet)
          group = 0
        }
        bits = chain.blocks[block].group(group, first, count)
      } while bits == RuleIndex.Group()
      lane = 0
    }
  }

  /// Looks the packet up, to go on behind a rule.
  private mutating func start(behind rule: Int, _ chain: SimulatorChain, _ packet: Packet, _ now: Int) {
    generation = now
    block = 0
    while block + 1 < chain.blocks.count, chain.blocks[block + 1].firstRule <= rule + 1 { block += 1 }
    let place = rule + 1 - chain.blocks[block].firstRule
    (first, count) = chain.blocks[block].rows(of: packet)
    group = place / RuleIndex.rulesInGroup
    bits = chain.blocks[block].group(group, first, count)
    lane = place % RuleIndex.rulesInGroup / 64
    bits[lane] &= .max << UInt64(place % 64)
  }
}
