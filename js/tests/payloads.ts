/** Texts that would run if any surface took them for markup. */
export const PAYLOADS = [
  '<script>window.hacked=1</script>',
  '<img src=x onerror="window.hacked=1">',
  '"><svg onload=window.hacked=1>',
  'javascript:window.hacked=1',
  '<iframe srcdoc="<script>parent.hacked=1</script>">',
  '</title><style>*{display:none}</style>',
  '{{constructor.constructor("window.hacked=1")()}}',
  '<a href="javascript:window.hacked=1">x</a>'
];

const FORBIDDEN = 'script, iframe, object, embed, style, link, foreignObject, [onload], [onerror], [onclick], a[href]';

/** Elements that only a smuggled markup could have made. */
export function smuggled(root: Element): Element[] {
  const pictures = [...root.querySelectorAll('img')].filter(image => !image.src.startsWith('data:image/'));
  return [...root.querySelectorAll(FORBIDDEN), ...pictures];
}
