internal import Netfilter

/// Keys with ranges of ports, as a map of concatenated ranges has them: two keys, of which one has the first values and
/// the other the last.
///
/// Ports come first. The kernel compares field by field and carries on with the elements that the field leaves, one by
/// one: of elements that differ in ports alone a thousand cost a packet no more than ten then, where the other order
/// costs ten thousand nanoseconds. The family comes last: the kernel makes such maps of two fields or more.
extension KeyShape {
  func rangedFields(_ family: Family) -> [KeyField] {
    var result: [KeyField] = []
    if fields.contains(.destinationPort) { result.append(.destinationPort) }
    if fields.contains(.sourcePort) { result.append(.sourcePort) }
    var others = self
    others.fields.subtract([.sourcePort, .destinationPort, .sourceRange, .destinationRange])
    result += others.keyFields(family, .compiled)
    result.append(.family)
    return result
  }

  /// - Parameter isEnd: whether the last values are wanted.
  func writeRanged(_ key: HeaderKey, isEnd: Bool, _ family: Family, to out: inout ByteWriter) {
    if fields.contains(.destinationPort) {
      out.write(big: isEnd ? key.destinationPorts.upperBound : key.destinationPort)
      out.zeros(2)
    }
    if fields.contains(.sourcePort) {
      out.write(big: isEnd ? key.sourcePorts.upperBound : key.sourcePort)
      out.zeros(2)
    }
    if sourceBits > 0 { out.write(address: key.source, family) }
    if destinationBits > 0 { out.write(address: key.destination, family) }
    if fields.contains(.inInterface) { out.write(big: key.inInterface) }
    if fields.contains(.outInterface) { out.write(big: key.outInterface) }
    out.write(family.rawValue)
    out.zeros(3)
  }

  /// nil where the two are no key of this shape.
  func rangedKey(_ first: UnsafeRawBufferPointer, _ last: UnsafeRawBufferPointer, _ family: Family) -> HeaderKey? {
    let length = keyLength(family)
    guard first.count == length, last.count == length else { return nil }
    guard self.family(of: first) == family, self.family(of: last) == family else { return nil }
    var key = HeaderKey()
    var offset = 0
    if fields.contains(.destinationPort) {
      (key.destinationPort, key.destinationPortEnd) = (first.bigPort(offset), last.bigPort(offset))
      guard takesEnd(of: key.destinationPort, &key.destinationPortEnd, .destinationRange) else { return nil }
      offset += 4
    }
    if fields.contains(.sourcePort) {
      (key.sourcePort, key.sourcePortEnd) = (first.bigPort(offset), last.bigPort(offset))
      guard takesEnd(of: key.sourcePort, &key.sourcePortEnd, .sourceRange) else { return nil }
      offset += 4
    }
    // All else has one value.
    guard first[offset...].elementsEqual(last[offset...]) else { return nil }
    let bytes = family.addressBits / 8
    func number(_ count: Int) -> UInt128 {
      defer { offset += count }
      return first[offset..<offset + count].reduce(0) { $0 << 8 | UInt128($1) }
    }
    if sourceBits > 0 { key.source = number(bytes) }
    if destinationBits > 0 { key.destination = number(bytes) }
    if fields.contains(.inInterface) { key.inInterface = number(16) }
    if fields.contains(.outInterface) { key.outInterface = number(16) }
    return key
  }

  /// A field without ranges has no end.
  private func takesEnd(of first: UInt16, _ last: inout UInt16, _ range: Fields) -> Bool {
    if fields.contains(range) { return first <= last }
    defer { last = 0 }
    return first == last
  }
}

extension KeyField {
  fileprivate static let sourcePort = KeyField(
    source: .payload(.transport, offset: 0), length: 2, prefix: nil, type: 13)
  fileprivate static let destinationPort = KeyField(
    source: .payload(.transport, offset: 2), length: 2, prefix: nil, type: 13)
  fileprivate static let family = KeyField(source: .meta(.family), length: 1, prefix: nil, type: 2)
}

extension UnsafeRawBufferPointer {
  fileprivate func bigPort(_ offset: Int) -> UInt16 {
    UInt16(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }
}
