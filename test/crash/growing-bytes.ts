// The content of a file that is written to at any place, without a copy for each write.

export class GrowingBytes {
  #room = Buffer.alloc(0);
  #size = 0;

  write(bytes: Buffer, offset: number): void {
    const end = offset + bytes.length;
    if (end > this.#size) this.resize(end);
    bytes.copy(this.#room, offset);
  }

  /** What is added is zeros. */
  resize(size: number): void {
    if (size < this.#size) this.#room.fill(0, size, this.#size);
    if (size > this.#room.length) {
      const room = Buffer.alloc(size * 2);
      this.#room.copy(room);
      this.#room = room;
    }
    this.#size = size;
  }

  copy(): GrowingBytes {
    const copy = new GrowingBytes();
    copy.resize(this.#size);
    this.#room.copy(copy.#room, 0, 0, this.#size);
    return copy;
  }

  bytes(): Buffer {
    return this.#room.subarray(0, this.#size);
  }
}
