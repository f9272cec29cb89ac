import { h } from '../dom';

/** What a page's server says about itself, as far as it is used here. */
export interface PageConfig {
  baseUrl: string;
  kernelId: string;
  fullStaticUrl: string;
  fullLabextensionsUrl: string;
  progressiveRendering?: boolean;
  federated_extensions?: { name: string; load: string }[];
}

/** The configuration that Voilà writes into the page. */
export function readPageConfig(): PageConfig {
  return JSON.parse(document.getElementById('jupyter-config-data')?.textContent ?? '{}') as PageConfig;
}

/** Leaves the page to Voilà's own program: it draws whatever a notebook may put out, and takes longer to load. */
export function startVoila(config: PageConfig): void {
  const { script, style, light, dark } = (document.getElementById('voila-parts') as HTMLElement).dataset;
  const extensions = config.federated_extensions ?? [];
  const colours = document.body.classList.contains('theme-dark') ? dark : light;
  document.head.prepend(...[style, colours].map(href => h('link', { rel: 'stylesheet', href })));
  // What the program asks for later is fetched beside it.
  document.head.append(
    ...extensions.map(({ name, load }) =>
      h('link', { rel: 'preload', as: 'script', href: `${config.fullLabextensionsUrl}/${name}/${load}` })
    )
  );
  for (const address of [script, `${config.fullStaticUrl}/voila.js`]) {
    const element = h('script', { src: address });
    element.async = false; // in this order
    document.body.append(element);
  }
}

/** Tells the server that nobody needs the kernel any more, as soon as the page goes. */
export function endKernelWithPage(config: PageConfig): void {
  addEventListener('pagehide', () => {
    const form = new FormData();
    form.append('_xsrf', /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie)?.[1] ?? '');
    navigator.sendBeacon(`${config.baseUrl}voila/api/shutdown/${config.kernelId}`, form);
  });
}
