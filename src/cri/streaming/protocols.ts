// Which protocol a connection speaks: the first one that the client offers and we know.

export const SPDY = "SPDY/3.1";

/** Best first, for the answer to a client that offers none of them. */
export const PROCESS_OVER_SPDY = ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"];
export const PORTS_OVER_SPDY = ["portforward.k8s.io"];
/** "" is of a client that offers nothing. */
export const PROCESS_OVER_WEBSOCKET = [
  "v5.channel.k8s.io",
  "v4.channel.k8s.io",
  "v4.base64.channel.k8s.io",
  "channel.k8s.io",
  "base64.channel.k8s.io",
  "",
];
/** A whole SPDY connection within a WebSocket's messages. */
export const TUNNELLED_PORTS = `${SPDY}+portforward.k8s.io`;
export const PORTS_OVER_WEBSOCKET = [TUNNELLED_PORTS, "v4.channel.k8s.io", "v4.base64.channel.k8s.io", ""];

export const choose = (offered: readonly string[], known: readonly string[]): string | undefined =>
  offered.find((protocol) => known.includes(protocol));

/** 5 of "v5.channel.k8s.io"; 1 of what has no version. */
export const versionOf = (protocol: string): number => Number(/^v(\d)\./.exec(protocol)?.[1] ?? 1);

export const isBase64 = (protocol: string): boolean => protocol.includes("base64");
