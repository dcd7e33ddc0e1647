import "./corpus.test";
import "./pdfhole.test";
import "./review_reach.test";
import "./vectors.test";
