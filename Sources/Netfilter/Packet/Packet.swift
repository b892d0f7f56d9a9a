/// A packet and what is known of its flow, as rules look at it.
///
/// A property that is nil is not known, and a condition on it then answers ``Answer/depends(on:)``. What a property cannot
/// be without (addresses, protocol, interfaces) has a value always.
public struct Packet: Hashable, Sendable {
  public var source: IPAddress
  public var destination: IPAddress
  public var inInterface: InterfaceName
  public var outInterface: InterfaceName
  /// The protocol of the payload; for IPv6 the one behind all extension headers.
  public var proto: IPProtocol
  /// A second or later fragment, which carries no header of its protocol.
  public var isLaterFragment = false

  /// The hook where rules look at it; nil where that is not said.
  public var hook: Hook?

  // The header of TCP, UDP and their like.
  public var sourcePort: UInt16?
  public var destinationPort: UInt16?
  public var tcpFlags: TCPFlags?
  /// The numbers of the options in a TCP header.
  public var tcpOptions: Set<UInt8>?
  /// The maximum segment size that a TCP header announces; 0 where it announces none.
  public var maximumSegmentSize: UInt16?
  public var icmpType: UInt8?
  public var icmpCode: UInt8?

  // The IP header.
  /// Bytes of the whole packet, its IP header included.
  public var length: Int?
  /// TTL of IPv4, hop limit of IPv6.
  public var hopLimit: UInt8?
  /// The TOS byte of IPv4, the traffic class of IPv6: DSCP in the upper six bits, ECN in the lower two.
  public var trafficClass: UInt8?

  // What the machine knows.
  public var connection = ConnectionFacts()
  /// `nfmark`; 0 for a packet that nothing has marked yet.
  public var mark: UInt32?
  public var sourceMAC: MACAddress?
  /// Whom the frame was for.
  public var kind: PktType.Kind?
  /// The packet from its IP header on, where there is one to look into.
  public var bytes: [UInt8]?

  public init(
    source: IPAddress, destination: IPAddress, proto: IPProtocol, inInterface: InterfaceName = .none,
    outInterface: InterfaceName = .none
  ) {
    self.source = source
    self.destination = destination
    self.proto = proto
    self.inInterface = inInterface
    self.outInterface = outInterface
  }

  public var family: Family { source.family }

  /// Sets a part of a header. Bytes that hold another value, or may, are those of the packet no longer.
  package mutating func rewrite<Part: Equatable>(_ part: WritableKeyPath<Packet, Part>, _ value: Part) {
    guard self[keyPath: part] != value else { return }
    self[keyPath: part] = value
    bytes = nil
  }

  /// The same for a part that may be unknown, before or afterwards.
  package mutating func rewrite<Part: Equatable>(_ part: WritableKeyPath<Packet, Part?>, _ value: Part?) {
    guard value == nil || self[keyPath: part] != value else { return }
    self[keyPath: part] = value
    bytes = nil
  }
}

/// What connection tracking says of a packet.
public struct ConnectionFacts: Hashable, Sendable {
  /// One of ``ConnectionStates/invalid``, `new`, `established`, `related` and `untracked`.
  public var state: ConnectionStates?
  public var mark: UInt32?
  public var direction: ConnectionDirection?
  public var statuses: ConnectionStatuses?
  /// The ends as the first packet had them.
  public var original: ConnectionEnds?
  /// The ends as replies have them.
  public var reply: ConnectionEnds?

  public init() {}

  /// Whether the packet belongs to a connection at all; nil where its state is not known.
  package var isTracked: Bool? { state.map { $0 != .invalid && $0 != .untracked } }
}

/// Where packets of one direction of a connection come from and go to.
public struct ConnectionEnds: Hashable, Sendable {
  public var source: IPAddress
  public var destination: IPAddress
  public var sourcePort: UInt16?
  public var destinationPort: UInt16?

  public init(
    source: IPAddress, destination: IPAddress, sourcePort: UInt16? = nil, destinationPort: UInt16? = nil
  ) {
    self.source = source
    self.destination = destination
    self.sourcePort = sourcePort
    self.destinationPort = destinationPort
  }
}
