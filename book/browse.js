/* What browse.py asks of a page; axe.js is loaded before axe is called. */
window.browse = {
    // Until the page has followed the browser into a mode.
    settle: async mode => {
        const {dataset} = document.documentElement;
        for (let i = 0; i < 60 && (dataset.theme || mode) != mode; i++)
            await new Promise(requestAnimationFrame);
    },

    // What is wrong with the page, in the mode that was asked for.
    look: async mode => {
        const wrong = [], root = document.documentElement;
        const frame = () => new Promise(requestAnimationFrame);
        const name = e => e.outerHTML.replace(/\s+/g, ' ').slice(0, 90);
        await browse.settle(mode);
        if ((root.dataset.theme || mode) != mode)
            wrong.push(`${root.dataset.theme} mode where ${mode} was asked`);
        // Once through: some of it is laid out only when it comes near.
        for (let y = 0; y < root.scrollHeight; y += innerHeight) {
            scrollTo(0, y);
            await frame();
        }
        scrollTo(0, 0);
        await frame();
        const room = root.clientWidth;
        if (Math.max(root.scrollWidth, document.body.scrollWidth) > room) {
            const inBox = e => e != document.body && (getComputedStyle(
                e).overflowX != 'visible' || inBox(e.parentElement));
            const wide = [...document.body.querySelectorAll('*')].filter(
                e => (e.getBoundingClientRect().right > room + 1
                      || e.scrollWidth > room + 1)
                     && e.checkVisibility() && !inBox(e)).pop();
            wrong.push(`scrolls sideways: ${wide ? name(wide) : ''}`);
        }
        for (const e of document.querySelectorAll('img, video, canvas')) {
            const words = e.getAttribute('alt') || e.getAttribute('aria-label');
            if (!words?.trim() && !e.closest('[aria-hidden=true]'))
                wrong.push(`no alt text: ${name(e)}`);
        }
        // An outline in a drawing is as wide as the drawing's units.
        for (const e of document.querySelectorAll('svg [tabindex]')) {
            e.focus({focusVisible: true});
            if (getComputedStyle(e).outlineStyle != 'none')
                wrong.push(`outlined in a drawing: ${name(e)}`);
            e.blur();
        }
        let last = 0;
        const heads = [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].filter(
            h => !h.closest('.onlyprint'));
        if (heads.filter(h => h.tagName == 'H1').length != 1)
            wrong.push('not one h1');
        for (const h of heads) {
            const level = Number(h.tagName[1]);
            if (level > last + 1)
                wrong.push(`h${last} is followed by h${level}: ${name(h)}`);
            last = level;
        }
        return wrong;
    },

    // axe takes the square of a page's elements. Code, formulas, signatures
    // and rows are thousands of one kind: it looks at the first few of each
    // class in each kind of place, with all that is folded open.
    thin: () => {
        const times = {};
        const rest = (e, most, where) => {
            const key = `${e.tagName} ${e.className} ${where}`;
            times[key] = (times[key] || 0) + 1;
            return times[key] > most && e.isConnected;
        };
        document.querySelectorAll('details').forEach(d => { d.open = true; });
        document.querySelectorAll('.onlyprint').forEach(e => e.remove());
        for (const e of document.querySelectorAll(
                'dl.py, table.indextable li, tbody tr'))
            if (rest(e, 8, e.closest('section > *')?.className)) e.remove();
        for (const e of document.querySelectorAll(
                'pre span, dt.sig span, .katex')) {
            const place = e.closest(
                '.cell_input, .cell_output, dt, details, td, .highlight');
            if (rest(e, 3, place?.className))
                e.replaceWith(document.createTextNode(e.textContent));
        }
        document.head.append(Object.assign(document.createElement('style'), {
            textContent: '* { content-visibility: visible !important; }'}));
        // What fades in has no colors yet; who asks for no motion gets none.
        return document.getAnimations().map(({effect: {target}}) =>
            `moves: <${target.tagName.toLowerCase()} class="${target.className}">`);
    },

    // Violations of impact serious or critical of some rules, or of all.
    axe: async ([mode, rules]) => {
        await browse.settle(mode);
        const {violations} = await axe.run({
            resultTypes: ['violations'], preload: false,
            ...(rules.length ? {runOnly: rules} : {})});
        return violations.filter(v => ['serious', 'critical'].includes(v.impact))
            .flatMap(v => v.nodes.slice(0, 3).map(
                n => `axe ${v.id} (${v.nodes.length}): ${n.target.join(' ')} `
                     + (n.any[0]?.message || v.help)));
    },
};
