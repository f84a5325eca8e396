import type { FromThread, ToThread } from './handler-wire.js';

/** Messages between threads: as JSON, which costs half of what cloning objects does, but where bytes are among them. */
export type Posted<Message> = string | Message[];

export function pack<Message extends FromThread | ToThread>(messages: Message[]): Posted<Message> {
  return messages.some(hasBytes) ? messages : JSON.stringify(messages);
}

export function unpack<Message>(posted: Posted<Message>): Message[] {
  return typeof posted === 'string' ? (JSON.parse(posted) as Message[]) : posted;
}

function hasBytes(message: FromThread | ToThread): boolean {
  return message.kind === 'output' || (message.kind === 'settled' && message.output.length > 0);
}
