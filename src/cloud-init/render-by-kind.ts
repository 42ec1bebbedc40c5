// Which renderer takes which kind.

import { renderArchive } from './render-archive.ts';
import { renderJinja } from './render-jinja.ts';
import type { RenderPass } from './render-pass.ts';
import { renderInclude, renderText } from './render-text.ts';
import { renderYaml } from './render-yaml.ts';
import type { SourceText } from './source-text.ts';

const JSON_PATCH_HEADER = /^\s*#cloud-config-jsonp/i;

/** The text with its references replaced, by the source's kind. */
export function renderByKind(source: SourceText, pass: RenderPass): string {
  switch (source.kind) {
    case 'cloud-config':
      return renderYaml(source, pass);
    case 'cloud-config-archive':
      return renderArchive(source, pass, renderMember);
    case 'cloud-config-jsonp':
      // JSON is YAML; what stands behind the header on its line is JSON too, and no comment.
      return renderYaml(source, pass, { alwaysQuote: true, hide: hideJsonPatchHeader });
    case 'jinja':
      return renderJinja(source, pass);
    case 'include':
      return renderInclude(source, pass);
    default:
      return renderText(source, pass);
  }
}

/** cloud-init doesn't open an archive inside an archive. */
function renderMember(source: SourceText, pass: RenderPass): string {
  return source.kind === 'cloud-config-archive' ? renderText(source, pass) : renderByKind(source, pass);
}

function hideJsonPatchHeader(text: string): string {
  return text.replace(JSON_PATCH_HEADER, (header) => header.replace(/[^\r\n]/g, ' '));
}
