/** What browsers have and jsdom has not. */

class NoResizes implements ResizeObserver {
  observe(): void {
    // nothing is laid out here
  }
  unobserve(): void {
    // nothing is laid out here
  }
  disconnect(): void {
    // nothing is laid out here
  }
}

globalThis.ResizeObserver ??= NoResizes;
globalThis.DragEvent ??= class extends MouseEvent {} as typeof DragEvent;
HTMLCanvasElement.prototype.getContext = () => null;
globalThis.matchMedia ??= () =>
  ({
    matches: false,
    addEventListener: () => undefined,
    removeEventListener: () => undefined
  }) as unknown as MediaQueryList;
