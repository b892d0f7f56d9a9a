import Glibc

/// Sends real packets out of a network namespace and tells what comes back.
public struct Probe: Sendable {
  public let namespace: String
  /// How long to wait for an answer. In one machine it comes at once or not at all.
  public var patience: Duration

  public init(namespace: String, patience: Duration = .seconds(3)) {
    self.namespace = namespace
    self.patience = patience
  }

  /// - Throws: ``LabError`` when the packet could not even be made.
  public func send(_ traffic: Traffic) throws -> Outcome {
    let address = try SocketAddress(traffic.to, port: traffic.service.port)
    let socket = try inNamespace(namespace) { try open(traffic, address.family) }
    let deadline = ContinuousClock.now + patience
    switch traffic.service {
    case .tcp: return connect(socket, address, deadline)
    case .ping: return echo(socket, address, deadline)
    case .udp: return exchange(socket, address, deadline, Self.question)
    case .ip: return exchange(socket, address, deadline, Self.packet(socket))
    }
  }

  private func open(_ traffic: Traffic, _ family: Int32) throws -> Socket {
    let socket: Socket
    switch traffic.service {
    case .tcp:
      socket = try Socket(family, .stream)
      socket.resetWhenClosed()
    case .udp: socket = try Socket(family, .datagram)
    case .ping: socket = try Socket(family, .raw, proto: family == AF_INET6 ? 58 : 1)
    case .ip(let number): socket = try Socket(family, .raw, proto: Int32(number))
    }
    socket.collectErrors()
    if let from = traffic.from {
      try socket.bind(SocketAddress(from, port: traffic.sourcePort))
    } else if traffic.sourcePort != 0 {
      try socket.bind(.any(family, port: traffic.sourcePort))
    }
    return socket
  }

  // MARK: What is sent

  private static let question = Array("is anybody there?".utf8)

  /// Opens a connection and sends a byte over it, which has to come back.
  private func connect(_ socket: Socket, _ address: SocketAddress, _ deadline: ContinuousClock.Instant) -> Outcome {
    let code = socket.connect(address)
    guard code == 0 || code == EINPROGRESS else { return outcome(socket, code) }
    if code == EINPROGRESS {
      let events = socket.wait(for: Int32(POLLOUT), until: deadline)
      guard events != 0 else { return .dropped }
      if let error = socket.nextError() { return error }
      let code = socket.pendingError()
      guard code == 0 else { return outcome(socket, code) }
    }
    guard socket.send([1]) == 0 else { return outcome(socket, errno) }
    guard socket.wait(for: Int32(POLLIN), until: deadline) != 0 else { return .stalled }
    return socket.receive()?.isEmpty == false ? .answered : .stalled
  }

  /// Sends a packet that has to come back.
  private func exchange(
    _ socket: Socket, _ address: SocketAddress, _ deadline: ContinuousClock.Instant, _ bytes: [UInt8]
  ) -> Outcome {
    let code = socket.connect(address)
    guard code == 0 else { return outcome(socket, code) }
    return answer(socket, sending: bytes, deadline) { _ in true }
  }

  /// The content of a packet of another protocol, formed like VRRP's: REJECT answers only where the Internet checksum
  /// is right, which for VRRP stands at byte 6.
  private static func packet(_ socket: Socket) -> [UInt8] {
    var packet: [UInt8] = [0x21, 1, 100, 0, 0, 1, 0, 0] + question + [0]
    if socket.family == AF_INET6 {
      socket.set(41, 7, 6)  // IPV6_CHECKSUM: the kernel sums up, its own header included.
    } else {
      let sum = checksum(packet)
      (packet[6], packet[7]) = (UInt8(sum >> 8), UInt8(sum & 0xff))
    }
    return packet
  }

  /// ICMP and ICMPv6 echo.
  private func echo(_ socket: Socket, _ address: SocketAddress, _ deadline: ContinuousClock.Instant) -> Outcome {
    let code = socket.connect(address)
    guard code == 0 else { return outcome(socket, code) }
    let isIPv6 = socket.family == AF_INET6
    let mark: [UInt8] = [.random(in: 0...255), .random(in: 0...255)]
    var packet: [UInt8] = [isIPv6 ? 128 : 8, 0, 0, 0] + mark + [0, 1] + Self.question + [0]
    if !isIPv6 {
      let sum = Self.checksum(packet)
      (packet[2], packet[3]) = (UInt8(sum >> 8), UInt8(sum & 0xff))
    }
    return answer(socket, sending: packet, deadline) { bytes in
      // IPv4 shows its header, IPv6 does not.
      let reply = isIPv6 ? bytes[...] : bytes.dropFirst(Int(bytes.first ?? 0) % 16 * 4)
      return reply.count >= 8 && reply.first == (isIPv6 ? 129 : 0) && reply.dropFirst(4).prefix(2).elementsEqual(mark)
    }
  }

  private func answer(
    _ socket: Socket, sending bytes: [UInt8], _ deadline: ContinuousClock.Instant, _ isAnswer: ([UInt8]) -> Bool
  ) -> Outcome {
    let code = socket.send(bytes)
    guard code == 0 else { return outcome(socket, code) }
    while true {
      guard socket.wait(for: Int32(POLLIN), until: deadline) != 0 else { return .dropped }
      if let error = socket.nextError() { return error }
      guard let got = socket.receive() else {
        let code = socket.pendingError()
        if code != 0 { return .refusedLocally(code) }
        if ContinuousClock.now >= deadline { return .dropped }
        continue
      }
      if isAnswer(got) { return .answered }
    }
  }

  private func outcome(_ socket: Socket, _ code: Int32) -> Outcome {
    if let error = socket.nextError() { return error }
    return code == ECONNREFUSED ? .reset : .refusedLocally(code)
  }

  /// RFC 1071.
  private static func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt32 = 0
    for place in stride(from: 0, to: bytes.count, by: 2) {
      sum += UInt32(bytes[place]) << 8 + UInt32(place + 1 < bytes.count ? bytes[place + 1] : 0)
    }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(sum)
  }
}

extension Service {
  fileprivate var port: UInt16 {
    switch self {
    case .tcp(let port), .udp(let port): port
    case .ping, .ip: 0
    }
  }
}
