package projections

import (
	"testing"

	"docket/domain"
	"docket/internal/tenanttest"
	"docket/projections/fulltext"

	"github.com/jackc/pgx/v5"
)

// What people type finds what others wrote: each text with searches that find it, and
// with some that don't. Searches that end in a space have a complete last word.
var spellings = []struct {
	text      string
	find, not []string
}{
	// Accents, case, width, ligatures.
	{"Café crème", []string{"cafe", "café", "CAFÉ ", "cafe\u0301", "creme", "Ｃａｆｅ", "caf"}, []string{"cafes", "carafe", "afe"}},
	{"cafe", []string{"café", "Café "}, nil},
	{"Ｄｏｃｋｅｔ ＡＵＴＨ－１２３", []string{"docket", "AUTH-123", "auth 123"}, []string{"AUTH-12 "}},
	{"ﬁrst oﬃce", []string{"first", "office", "ﬁrst"}, []string{"rst"}},
	{"Smørrebrød på Ærø", []string{"smorrebrod", "SMØRREBRØD", "pa", "aero", "ærø"}, nil},
	{"Łódź, Gdańsk", []string{"lodz", "łódź", "gdansk"}, nil},
	{"Þór og Guðrún", []string{"thor", "gudrun", "Þór"}, nil},
	{"naïve façade, señor", []string{"naive", "facade", "senor"}, nil},
	{"Encyclopædia, œuvre", []string{"encyclopaedia", "oeuvre", "ŒUVRE"}, nil},
	{"x² and H₂O", []string{"x2", "H2O", "h₂o"}, nil},
	// German.
	{"Straße über Köln", []string{"strasse", "STRASSE", "straße", "STRAẞE", "uber", "ÜBER", "koln"}, []string{"strase "}},
	{"Fußgängerüberweg", []string{"fussgangeruberweg", "FUSSGÄNGER"}, []string{"überweg"}},
	// Turkish.
	{"İstanbul Iğdır ışık", []string{"istanbul", "ISTANBUL", "ıstanbul", "igdir", "IĞDIR", "isik", "IŞIK"}, []string{"stanbul"}},
	// French, with both apostrophes.
	{"l’été d'aujourd’hui", []string{"l'ete", "été", "aujourd'hui", "d’aujourd'hui", "lete"}, []string{"hiver"}},
	// English apostrophes.
	{"We don’t ship", []string{"don't", "don’t", "dont", "don`t", "don´t", "DONʼT ", "ship"}, []string{"do ", "dot"}},
	{"we don't", []string{"don’t", "dont"}, nil},
	{"Ann's task", []string{"ann", "ann’s", "anns", "ann "}, nil},
	{"Сім’я і м'яч", []string{"сім'я", "сімʼя", "м’яч", "мʼяч"}, nil},
	// Greek.
	{"Ελλάδα, Οδυσσεύς", []string{"ελλαδα", "ΕΛΛΆΔΑ", "ΕΛΛΑΔΑ", "οδυσσευς", "ΟΔΥΣΣΕΥΣ", "Οδυσσεύσ"}, []string{"ελλας "}},
	// Cyrillic.
	{"Ёлка и йод", []string{"елка", "ЁЛКА", "ёлка", "йод", "ЙОД"}, []string{"иод "}},
	{"Їжак, і́грашка", []string{"їжак", "іграшка"}, []string{"іжак "}},
	{"Проект 2024", []string{"проект", "ПРОЕКТ 2024", "прое"}, []string{"проекты"}},
	// Japanese.
	{"東京タワーの予約", []string{"東京", "タワー", "ﾀﾜｰ", "京タ", "予約", "東京 予約"}, []string{"東都", "京東", "大阪"}},
	{"ログインがハブで失敗", []string{"ログイン", "ﾛｸﾞｲﾝ", "ハブ", "失敗"}, []string{"ハフ", "ろぐいん"}},
	{"人々のメモ", []string{"人々", "メモ"}, nil},
	// Chinese, without and with other scripts.
	{"登录页面在Safari失败", []string{"登录", "页面", "safari", "失败", "登录 失败", "在Safari失败"}, []string{"录登", "登陆"}},
	{"請@ann看一下", []string{"請", "ann", "看一下"}, nil},
	// Korean.
	{"검색은 로그인 후에 됩니다", []string{"검색", "검색 기능 or 로그인", "로그인", "색은"}, []string{"검사", "색검"}},
	// Thai, which has no spaces.
	{"ค้นหางานที่ปิดแล้ว", []string{"ค้นหา", "งาน", "ปิด"}, []string{"คนหา"}},
	// Arabic with marks, tatweel and digits; Persian keyboards.
	{"مُحَمَّد كتـــاب ١٢٣", []string{"محمد", "مُحَمَّد", "كتاب", "123", "کتاب"}, []string{"محمود"}},
	{"إدارة الأعمال", []string{"ادارة", "اداره", "الاعمال"}, nil},
	{"می\u200cخواهم", []string{"میخواهم", "می\u200cخواهم"}, nil},
	// Hebrew with points.
	{"שָׁלוֹם", []string{"שלום"}, nil},
	// Hindi: vowel signs count, the nukta doesn't.
	{"हिन्दी ज़रूरी", []string{"हिन्दी", "जरूरी", "ज़रूरी"}, []string{"हनद", "हिन्दु"}},
	// Vietnamese.
	{"Đà Nẵng, đường phố", []string{"da nang", "đà nẵng", "ĐÀ NẴNG", "duong pho"}, []string{"ha nang"}},
	// Keys of issues.
	{"Fix AUTH-123 soon", []string{"AUTH-123", "auth-123 ", "auth", "123", "auth123", "AUTH 123", "AUTH-12", "auth_123", "#123"}, []string{"AUTH-12 ", "AUTH-124", "123-auth", "UTH"}},
	{"Fix AUTH_123", []string{"AUTH-123"}, nil},
	{"Fix auth123", []string{"AUTH-123", "auth", "123"}, nil},
	{"Fix AUTH-1234", nil, []string{"AUTH-123 ", "\"AUTH-123\""}},
	// Identifiers.
	{"use node.js", []string{"node.js", "node", "js", "nodejs", "Node.JS ", "node js"}, []string{"deno.js", "nodes "}},
	{"use nodejs", []string{"node.js", "nodejs"}, nil},
	{"call apply_secrets()", []string{"apply_secrets", "apply_secrets()", "secrets", "apply", "applySecrets", "apply-secrets", "applysecrets"}, []string{"secrets_apply", "secret "}},
	{"call getUserName(id)", []string{"getUserName", "getusername", "username or user", "userName", "name", "get_user_name", "getUser", "GETUSERNAME"}, []string{"etuser", "nameUser", "username"}},
	{"call getusername(id)", []string{"getUserName", "get_user_name"}, []string{"user"}},
	{"class HTTPServerError", []string{"http", "server", "HTTPServer", "httpservererror", "ServerError"}, []string{"httpd"}},
	{"export PDFs", []string{"pdf", "PDFs ", "pdfs"}, nil},
	{"__init__ and MAX_RETRY_COUNT", []string{"init", "__init__", "max_retry_count", "retry", "maxRetryCount"}, nil},
	{"e-mail, re\u00addo, wi‑fi", []string{"email", "e-mail", "redo", "wifi", "wi-fi"}, nil},
	{"UTF-8 and sha256", []string{"utf8", "UTF-8", "sha-256", "sha256", "256"}, []string{"utf16"}},
	{"std::vector<int> a->b", []string{"std::vector", "vector", "vector<int>"}, nil},
	{"commit 6f1c2b3a4d5e6f7a", []string{"6f1c2b3a", "6f1c2b3a4d5e6f7a "}, []string{"6f1c2b3b", "4d5e6f7a"}},
	{"id 01890a5d-ac96-774b-bcce-b302099a8057", []string{"01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d"}, []string{"01890a5e"}},
	// Languages.
	{"written in C++17", []string{"C++", "c++ ", "c++17", "\"C++\""}, []string{"C#", "c ", "C", "\"C\""}},
	{"written in C#", []string{"C#", "c# ", "c♯"}, []string{"C++", "C", "\"C\"", "F#"}},
	{"written in C", []string{"C", "c ", "\"C\"", "in c"}, []string{"C++", "C#"}},
	{"notepad++", []string{"notepad", "notepad++"}, nil},
	{"count", []string{"count"}, []string{"count++"}},
	{".NET and F#", []string{".net", "net", "f#"}, []string{"c#"}},
	// Versions and numbers.
	{"since v1.2.3", []string{"v1.2.3", "1.2.3", "v1.2", "1.2", "v1", "\"1.2.3\""}, []string{"123", "1.3", "v2", "3.2.1"}},
	{"since 1.2.3-rc.1", []string{"1.2.3-rc.1", "rc.1", "rc1", "1.2.3"}, []string{"1.2.4"}},
	{"costs 12.50 EUR", []string{"12.50", "12", "eur"}, []string{"1250"}},
	{"due 2026-11-30", []string{"2026-11-30", "2026-11", "30"}, []string{"2026-12"}},
	{"at 10:30", []string{"10:30"}, []string{"10:31"}},
	{"temperature is -123", []string{"-123", "123"}, []string{"-124"}},
	{"run with --force", []string{"--force", "-force", "force", "with --force"}, nil},
	// Paths, addresses, tags, mentions.
	{"see src/cmd/main.go", []string{"src/cmd/main.go", "cmd/main.go", "main.go", "main", "a or src/cmd", "/src/"}, []string{"cmd/src", "main.c "}},
	{"see C:\\temp\\a.txt", []string{"temp\\a.txt", "a.txt"}, nil},
	{"mail ann.lee@example.org now", []string{"ann.lee@example.org", "ann", "example.org", "@example.org", "annlee", "lee@example"}, []string{"bob@example.org", "ann@example.org"}},
	{"see https://example.org/a/b?c=1#d", []string{"https://example.org/a/b?c=1#d", "example.org/a/b", "example.org", "https://example.org", "c=1"}, []string{"https://example.com", "example.org/b"}},
	{"the #backend of @ann", []string{"#backend", "backend", "@ann", "ann"}, []string{"#frontend", "@bob"}},
	{"R&D, AT&T, Q3/2026", []string{"r&d", "at&t", "q3/2026", "q3"}, []string{"q4"}},
	// Emoji.
	{"ship it 🚀👍🏽", []string{"🚀", "👍", "👍🏿", "ship 🚀", "🚀👍"}, []string{"🎉", "👎"}},
	{"❤️ and 👩‍💻", []string{"❤", "❤️", "👩‍💻", "💻"}, []string{"💔"}},
	{"🇩🇪 team", []string{"🇩🇪", "team"}, []string{"🇫🇷", "🇪🇩"}},
	// The syntax of searches.
	{"red green blue", []string{"\"red green\"", "“green blue”", "„red green“", "red -black", "black or blue", "bl", "blu*", "-red"}, []string{"\"red blue\"", "“green red”", "red -blue", "red -green blue", "-black", "lue"}},
}

// Postgres agrees with each line of the table.
func TestSpellings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := fulltext.ScopeOf(tenanttest.NewID[domain.TenantID](t), fulltext.Tasks)
	b, pairs := &pgx.Batch{}, 0
	for _, x := range spellings {
		task := fulltext.NewDocument(in)
		task.SetTitle(x.text)
		comment := fulltext.NewComment(in, tenanttest.NewID[domain.ProjectID](t), x.text)
		for _, d := range []*fulltext.Document{task, comment} {
			document := d.TSVector()
			for i, q := range append(append([]string{}, x.find...), x.not...) {
				want := i < len(x.find)
				pairs++
				b.Queue(`select coalesce($1::tsvector @@ nullif($2, '')::tsquery, false)`, document, fulltext.Parse(q).TSQuery(in)).QueryRow(func(row pgx.Row) error {
					var found bool
					if err := row.Scan(&found); err != nil {
						return err
					}
					if found != want {
						t.Errorf("%q finds %q: %v, want %v\n%s", q, x.text, found, want, fulltext.Parse(q).TSQuery("S."))
					}
					return nil
				})
			}
		}
	}
	if err := w.Engine.SendBatch(t.Context(), b).Close(); err != nil {
		t.Fatal(err)
	}
	if pairs < 600 {
		t.Errorf("only %d pairs", pairs)
	}
}

// A search without a word is known as one.
func TestSearchable(t *testing.T) {
	t.Parallel()
	for q, want := range map[string]bool{
		"": false, " ": false, "-": false, "!?…": false, `""`: false, "- | &": false, "€": false, "→": false, "—": false, "\u200b": false, "🏽": false, "\u0301": false,
		"a": true, "-1": true, "🎄": true, "C++": true, "東": true, "x!": true, "or": true, "٣": true,
	} {
		if Searchable(q) != want {
			t.Errorf("%q: got %v", q, !want)
		}
	}
}
