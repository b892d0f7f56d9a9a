import Netfilter
import Testing

@Suite struct ICMPRows {
  @Test(arguments: [
    Row(.ipv4, "-p icmp -m icmp --icmp-type any", wire: [255, 0, 255, 0]),
    Row(.ipv4, "-p icmp -m icmp ! --icmp-type any", wire: [255, 0, 255, 1]),
    Row(.ipv4, "-p icmp --icmp-type echo-request", prints: "-p icmp -m icmp --icmp-type 8", wire: [8, 0, 255, 0]),
    Row(.ipv4, "-p icmp --icmp-type PING", prints: "-p icmp -m icmp --icmp-type 8", wire: [8, 0, 255, 0]),
    Row(.ipv4, "-p icmp -m icmp ! --icmp-type 3/4", wire: [3, 4, 4, 1]),
    Row(.ipv4, "-p icmp --icmp-type network-r", prints: "-p icmp -m icmp --icmp-type 5/0", wire: [5, 0, 0, 0]),
    Row(.ipv4, "-p icmp --icmp-type 3/1:4", prints: "-p icmp -m icmp --icmp-type 3/1", wire: [3, 1, 4, 0]),
    Row(.ipv4, "-p icmp --icmp-type 255/255", prints: "-p icmp -m icmp --icmp-type any", wire: [255, 255, 255, 0]),
    Row(.ipv4, "-p icmp --icmp-type 254", prints: "-p icmp -m icmp --icmp-type 254", wire: [254, 0, 255, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-p icmp --icmp-type 256", refused: "--icmp-type: '256' is not a message type"),
    Row(.ipv4, "-p icmp --icmp-type 3/256", refused: "--icmp-type: '256' is not a code"),
    Row(.ipv4, "-p icmp --icmp-type 8:9", refused: "--icmp-type: '8:9' is not a message type"),
    Row(.ipv4, "-p icmp --icmp-type host-un", refused: "--icmp-type: 'host-un' is the beginning of several names"),
    Row(.ipv4, "-p icmp --icmp-type nonsense", refused: "--icmp-type: 'nonsense' is not a message type"),
    Row(.ipv4, "-p icmp --icmp-type 3/", refused: "--icmp-type: '' is not a code"),
    Row(.ipv4, "-p icmp -m icmp", refused: "icmp needs --icmp-type TYPE[/CODE[:CODE]]|NAME"),
    Row(.ipv4, "-p tcp -m icmp --icmp-type 8", refused: "icmp needs -p icmp"),
    Row(.ipv4, "! -p icmp -m icmp --icmp-type 8", refused: "icmp needs -p icmp"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
