CREATE TABLE größe ("naïve;column" text, 列 text, ключ text DEFAULT 'знач;ение');
INSERT INTO größe VALUES ('🦀;🦀', E'\u00e4;\'', U&'d\0061t\+000061;' UESCAPE '\');
-- Straße; ‘typographic quotes’ begin nothing; neither does ′ or ″ or ‚ or „
SELECT 'a‘;’b', "ü"";""ü", ‘not_a_literal’ FROM é;
SELECT U&"d!0061t;a" UESCAPE '!', N'é;';SELECT 'zero-width​;joined‍';
COMMENT ON TABLE größe IS '٣;٤';
