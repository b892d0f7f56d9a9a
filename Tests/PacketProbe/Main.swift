import Glibc
import PacketLab

/// A command around the packet laboratory, for scripts.
///
///     PacketProbe serve NAMESPACE SERVICE…
///     PacketProbe send NAMESPACE ADDRESS SERVICE [from=ADDRESS] [port=NUMBER] [wait=MILLISECONDS]
///
/// SERVICE is tcp/PORT, udp/PORT, ping or ip/NUMBER. `serve` prints a line when it listens and ends when its standard
/// input does; `send` prints what came back.
@main
enum PacketProbe {
  static func main() {
    do {
      try run(Array(CommandLine.arguments.dropFirst()))
    } catch {
      write(2, "PacketProbe: \(error)\n")
      exit(1)
    }
  }

  private static func run(_ words: [String]) throws {
    switch words.first {
    case "serve" where words.count > 2: try serve(words[1], words.dropFirst(2).map(service))
    case "send" where words.count > 3: try send(words[1], to: words[2], service(words[3]), words.dropFirst(4))
    default: throw Usage("serve NAMESPACE SERVICE… | send NAMESPACE ADDRESS SERVICE [from=…] [port=…] [wait=…]")
    }
  }

  private static func serve(_ namespace: String, _ services: [Service]) throws {
    let responder = try Responder(namespace: namespace, services)
    write(1, "ready\n")
    while getchar() != EOF {}
    withExtendedLifetime(responder) {}
  }

  private static func send(
    _ namespace: String, to address: String, _ service: Service, _ options: ArraySlice<String>
  ) throws {
    var traffic = Traffic(service, to: address)
    var probe = Probe(namespace: namespace, patience: .seconds(1))
    for option in options {
      let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
      switch (parts.first, parts.last.flatMap { UInt16($0) }) {
      case ("from", _): traffic.from = parts.last
      case ("port", let port?): traffic.sourcePort = port
      case ("wait", let milliseconds?): probe.patience = .milliseconds(Int(milliseconds))
      default: throw Usage("'\(option)' is not from=ADDRESS, port=NUMBER or wait=MILLISECONDS")
      }
    }
    write(1, "\(try probe.send(traffic))\n")
  }

  private static func write(_ descriptor: Int32, _ text: String) {
    _ = Glibc.write(descriptor, text, text.utf8.count)
  }

  private static func service(_ text: String) throws -> Service {
    guard let service = Service(text) else { throw Usage("'\(text)' is not tcp/PORT, udp/PORT, ping or ip/NUMBER") }
    return service
  }

  private struct Usage: Error, CustomStringConvertible {
    let description: String
    init(_ text: String) { description = text }
  }
}
