package domain

// The sizes of aggregates, for caches that are bounded in bytes. A Size counts what a
// request can make long: texts and lists. What is as long in every state isn't in it.
const (
	idSize     = 16 // of an id, and of a Skip
	stringSize = 16 // of a string's header in a list
)

// Size is how many bytes the texts take.
func (t Tenant) Size() int { return len(t.Slug) + len(t.Name) + optionalSize(t.EmailFrom) }

// Size is how many bytes the texts take.
func (u User) Size() int { return len(u.Email) + len(u.Name) }

// Size is how many bytes the texts take.
func (m Membership) Size() int { return len(m.Email) + len(m.Name) }

// Size is how many bytes the texts and the list of editors take.
func (p Project) Size() int {
	return len(p.Name) + optionalSize(p.Description) + idSize*len(p.EditedBy)
}

// Size is how many bytes the texts and labels take.
func (t Task) Size() int {
	n := len(t.Title) + optionalSize(t.Description)
	for _, l := range t.Labels {
		n += stringSize + len(l)
	}
	return n
}

// Size is how many bytes the body and the mentions take.
func (s Comment) Size() int { return len(s.Body) + idSize*len(s.Mentions) }

// Size is how many bytes the list of skipped events takes.
func (s Subscription) Size() int { return idSize * len(s.Skips) }

// optionalSize is the size of a text that may be missing.
func optionalSize(s *string) int {
	if s == nil {
		return 0
	}
	return stringSize + len(*s)
}
